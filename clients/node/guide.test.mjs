// The quick starts in JavaScript of README and guide: each prints that the flag is on.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Server } from "./server.mjs";

const ROOT = new URL("../../", import.meta.url);
// Packages are looked for from here.
const CLIENTS = fileURLToPath(new URL("clients/", ROOT));

for (const page of ["README.md", "docs/guide/openfeature.md"]) {
  test(`the quick start of ${page}`, async (t) => {
    const text = await readFile(new URL(page, ROOT), "utf8");
    const [, document] = text.match(/^tidegate serve --document (\S+)$/m);
    const programs = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map((found) => found[1]);
    assert.equal(programs.length, 1);
    const server = await Server.start(fileURLToPath(new URL(document, ROOT)));
    t.after(() => server.stop());
    assert.ok(programs[0].includes("http://localhost:8080"));
    const program = programs[0].replace("http://localhost:8080", server.url);
    const words = ["--input-type=module", "--eval", program];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, words, { cwd: CLIENTS, timeout: 60_000 });
    assert.deepEqual([stdout, stderr], ["true\n", ""]);
  });
}
