//! `plan`: the chart, the changes, the overlaps, the picture.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::run::{Host, LONGEST_WAIT};
use crate::server_process::ServerProcess;

/// Everything lies in the future, so that nothing depends on when this is run.
const FLAGS: &str = r#"{
  "a": {
    "steps": {"stable": 1, "new": 2, "salt": "1", "start_time": "2140-01-01 00:00Z",
              "steps": [{"pct": 10, "hold": "2d"}, {"pct": 50, "over": "4d", "hold": "2d"}, {"pct": 100, "over": "2d"}]},
    "back": {"stable": 1, "new": 2, "salt": "2", "start_time": "2140-01-04 00:00Z", "duration": "4d",
             "rollback": {"start_time": "2140-01-07 00:00Z", "duration": "1d", "to_pct": 25}}
  },
  "b": {"still": {"stable": 1}, "<b>&\u202e": {"stable": 1, "new": 2, "end_time": "2140-01-09 00:00Z", "duration": "0s"}}
}"#;

#[test]
fn one_flag_as_a_line() {
    let said = Host::with(FLAGS).run("plan flags.json a steps --from 2139-12-31T12:00Z --to 2140-01-11T12:00Z").said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0], "a/steps  1 → 2  0 % now");
    assert!(lines[2].starts_with("100 % ┤") && lines[14].starts_with("  0 % ┤"), "{}", said.stdout);
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{}", said.stdout);
    assert!(said.stdout.contains("◀ now is earlier"), "{}", said.stdout);
    let changes: Vec<&str> = lines.iter().skip_while(|line| !line.starts_with("NEXT CHANGES")).copied().collect();
    let words: Vec<Vec<&str>> = changes[1..].iter().map(|line| line.split_whitespace().collect()).collect();
    let found: Vec<(&str, &str, &str)> = words.iter().map(|line| (line[0], line[5], line[7])).collect();
    assert_eq!(
        found,
        [
            ("2140-01-01", "10", "holds"),
            ("2140-01-03", "10", "rises"),
            ("2140-01-07", "50", "holds"),
            ("2140-01-09", "50", "rises"),
            ("2140-01-11", "100", "ends"),
        ]
    );
}

#[test]
fn many_flags_as_rows_and_their_overlaps() {
    let said = Host::with(FLAGS).run("plan flags.json").said();
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    assert!(said.stdout.contains("\na/steps") && said.stdout.contains("\na/back"), "{}", said.stdout);
    assert!(said.stdout.contains("b/<b>&\\u{202e}"), "{}", said.stdout);
    assert!(said.stdout.contains("and 1 flag that does not move in this time"), "{}", said.stdout);
    let overlap = said.stdout.lines().skip_while(|line| !line.starts_with("MOVING AT ONCE")).nth(1).unwrap();
    let words: Vec<&str> = overlap.split_whitespace().collect();
    assert_eq!(words, ["2140-01-04", "00:00Z", "to", "2140-01-07", "00:00Z", "3d", "2", "a/steps,", "a/back"]);
}

#[test]
fn for_programs() {
    let said = Host::with(FLAGS).run("plan flags.json a --format json").said();
    let plan = said.json().remove(0);
    let corners = |number: usize| {
        let corners = plan["flags"][number]["corners"].as_array().unwrap();
        corners.iter().map(|corner| corner["share"].as_f64().unwrap()).collect::<Vec<f64>>()
    };
    let near = |found: Vec<f64>, expected: &[f64]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 0.001), "{found:?}");
    };
    near(corners(0), &[0.0, 0.0, 10.0, 10.0, 50.0, 50.0, 100.0, 100.0]);
    near(corners(1), &[0.0, 0.0, 75.0, 25.0, 25.0]);
    assert_eq!(
        plan["overlaps"],
        json!([{"from": "2140-01-04T00:00:00.000000Z", "to": "2140-01-07T00:00:00.000000Z", "most": 2,
                "flags": ["a/steps", "a/back"]}])
    );
    let changes: Vec<&str> =
        plan["changes"].as_array().unwrap().iter().map(|change| change["what"].as_str().unwrap()).collect();
    assert_eq!(changes, ["holds", "rises", "rises", "holds", "falls", "ends", "rises", "ends"]);
}

#[test]
fn the_picture_is_well_formed_and_safe() {
    let host = Host::with(FLAGS);
    host.run("plan flags.json --svg plan.svg").said();
    for picture in [
        std::fs::read_to_string(host.path("plan.svg")).unwrap(),
        host.run("plan flags.json a/back --svg -").said().stdout,
        host.run("plan flags.json b --svg -").said().stdout,
        many(&host),
    ] {
        assert!(picture.starts_with("<svg xmlns=") && picture.ends_with("</svg>\n"), "{picture}");
        assert!(picture.contains("@media (prefers-color-scheme:dark)"));
        assert!(!picture.contains("<b>") && !picture.contains('\u{202e}') && !picture.contains("NaN"), "{picture}");
        assert_balanced(&picture);
    }
    host.run("plan flags.json --svg no/such/folder.svg")
        .code(7)
        .stderr("error: cannot write `no/such/folder.svg`: No such file or directory (os error 2)\n")
        .check();
}

/// More flags than fit into one grid.
fn many(host: &Host) -> String {
    let flags: Vec<String> = (0..100)
        .map(|number| {
            format!(
                r#""f{number}": {{"stable": 1, "new": 2, "end_time": "2140-01-09 00:00Z", "duration": "{number}h"}}"#
            )
        })
        .collect();
    host.write("many.json", format!("{{\"f\": {{{}}}}}", flags.join(",")));
    let said = host.run("plan many.json").said();
    assert!(said.stdout.lines().count() < 80, "{}", said.stdout);
    host.run("plan many.json --svg -").said().stdout
}

/// Each element that begins also ends, in order; attributes are quoted.
fn assert_balanced(picture: &str) {
    let mut open = Vec::new();
    for tag in picture.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("{tag}"));
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn what_is_typed_wrongly() {
    let host = Host::with(FLAGS);
    host.run("plan flags.json --from 2026-01-02T00:00Z --to 2026-01-01T00:00Z")
        .code(2)
        .stderr("error: --from is not before --to\nhelp: swap the two\n")
        .check();
    assert_eq!(host.run("plan flags.json nothing").said().code, 3);
    assert_eq!(host.run("plan flags.json a nothing").said().code, 3);
    host.write("empty.json", "{}");
    host.run("plan empty.json").stderr("note: the document has no flags\n").check();
}

/// The server plans by the same code.
#[test]
fn a_server_answers_with_the_plan_that_the_command_prints() {
    let host = Host::with(FLAGS);
    let server = ServerProcess::start(&host, "--name one");
    let line = "plan flags.json --from 2140-01-01T00:00:00Z --to 2140-02-01T00:00:00Z --format json";
    let said = host.run(line).code(0).said();
    let now = &said.json()[0]["now"];
    let body = json!({"document": FLAGS, "from": "2140-01-01T00:00:00Z", "to": "2140-02-01T00:00:00Z", "now": now});
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "POST /api/v1/plan HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, answered) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{reply}");
    assert_eq!(answered, said.stdout);
}
