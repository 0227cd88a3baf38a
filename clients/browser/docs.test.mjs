// The page of the contract at /docs, in a browser: it shows each operation.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Server } from "../node/server.mjs";

test("the page at /docs shows each operation and each schema", { timeout: 120_000 }, async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const contract = await (await fetch(`${server.url}/openapi.json`)).json();
  const folder = await mkdtemp(join(tmpdir(), "tidegate-docs-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  const words = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
    `--user-data-dir=${folder}`, "--virtual-time-budget=20000", "--dump-dom", `${server.url}/docs`,
  ];
  const { stdout, stderr } = await promisify(execFile)("chromium", words, { maxBuffer: 64 * 1024 * 1024 });
  for (const item of Object.values(contract.paths)) {
    for (const operation of Object.values(item)) {
      assert.ok(stdout.includes(`<h3 id="${operation.operationId}">`), `${operation.operationId}\n${stdout.slice(0, 2000)}\n${stderr}`);
    }
  }
  for (const name of Object.keys(contract.components.schemas)) {
    assert.ok(stdout.includes(`<h3 id="schema-${name}">`), name);
  }
});
