//! `list`: the flags of a document.

use serde_json::json;

use crate::run::Host;

const FLAGS: &str = r#"{
  "features": {
    "login": {"stable": false, "new": true, "start_time": "2026-01-01 00:00Z", "duration": "10d",
              "owner": "web", "tags": ["a"], "description": "new page"},
    "long": {"stable": "a text that is much too long for a table", "new": [1, 2]},
    "off": {"stable": 1, "enabled": false, "visibility": "server"},
    "held": {"stable": 1, "new": 2, "lock": "new"},
    "leased": {"stable": 1, "new": 2, "end_time": "2026-01-01 00:00Z", "duration": "1d", "lease": "1h"}
  },
  "limits": {"pool": {"stable": 10, "new": 20, "interpolate": true, "start_time": "2026-02-01 00:00Z", "duration": "1d"}}
}"#;

#[test]
fn for_people() {
    Host::with(FLAGS)
        .run("list flags.json --at 2026-01-06T00:00Z")
        .stdout(
            "FLAG             STABLE                    NEW    SHARE  NEXT CHANGE\n\
             features/login   false                     true    50 %  2026-01-11 00:00Z stays at 100 %, in 5d\n\
             features/long    \"a text that is much to…  [1,2]    0 %  -\n\
             features/off     1                         -        0 %  -                                         disabled\n\
             features/held    1                         2      100 %  -                                         locked to new\n\
             features/leased  1                         2      100 %  -                                         leased\n\
             limits/pool      10                        20       0 %  2026-02-01 00:00Z rises from 0 %, in 26d  interpolated\n",
        )
        .check();
}

#[test]
fn for_programs() {
    let said = Host::with(FLAGS).run("list flags.json --format json --at 2026-01-06T00:00Z").said();
    let lines = said.json();
    assert_eq!(lines.len(), 6);
    assert_eq!(
        lines[0],
        json!({
            "flag": "features/login", "section": "features", "name": "login", "stable": false, "new": true,
            "share": 50, "next_change": {"at": "2026-01-11T00:00:00.000000Z", "what": "ends", "share": 100},
            "enabled": true, "lock": null, "host_lock": null, "interpolate": false, "lease": null,
            "description": "new page", "owner": "web", "tags": ["a"],
        })
    );
    assert_eq!((&lines[1]["new"], &lines[1]["next_change"]), (&json!([1, 2]), &json!(null)));
    assert_eq!((&lines[2]["enabled"], &lines[2]["new"]), (&json!(false), &json!(null)));
    assert_eq!((&lines[2]["visibility"], lines[3].get("visibility")), (&json!("server"), None));
    assert_eq!((&lines[3]["lock"], &lines[3]["share"]), (&json!("new"), &json!(100)));
    assert_eq!(lines[4]["lease"], json!("1h"));
    assert_eq!(lines[5]["interpolate"], json!(true));
}

#[test]
fn nothing_to_list() {
    let host = Host::with("{}");
    host.run("list flags.json").stderr("note: the document has no flags\n").check();
    host.run("list flags.json --format json").check();
}
