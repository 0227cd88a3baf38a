// Pages in Debian's Chromium, on an origin of their own, and what they report.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const LONGEST_WAIT_MS = 60_000;

export class Page {
  /// Opens a page whose script is this file, for flags of this server.
  static async open(script, server) {
    const page = new Page();
    const entry = fileURLToPath(new URL(script, import.meta.url));
    const bundle = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false, logLevel: "error" });
    const code = bundle.outputFiles[0].contents;
    page.reports = [];
    page.said = "";
    page.wake = () => {};
    page.http = createServer(async (request, answer) => {
      if (request.url === "/report") {
        const parts = await request.toArray();
        page.reports.push(JSON.parse(Buffer.concat(parts).toString()));
        page.wake();
        answer.end();
      } else if (request.url === "/script.js") {
        answer.setHeader("content-type", "text/javascript").end(code);
      } else {
        const html = `<!doctype html><meta charset="utf-8"><div id="root"></div><script type="module" src="/script.js"></script>`;
        answer.setHeader("content-type", "text/html").end(html);
      }
    });
    page.http.listen(0, "127.0.0.1");
    await once(page.http, "listening");
    page.folder = await mkdtemp(join(tmpdir(), "tidegate-browser-"));
    const url = `http://127.0.0.1:${page.http.address().port}/?server=${encodeURIComponent(server)}`;
    const words = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
      `--user-data-dir=${page.folder}`, url,
    ];
    page.process = spawn("chromium", words, { stdio: ["ignore", "ignore", "pipe"] });
    page.process.stderr.on("data", (data) => (page.said += data));
    page.process.on("error", (error) => (page.said += error));
    return page;
  }

  /// The first report, from this one on, of which this holds.
  async reported(what, isIt, from = 0) {
    const ends = Date.now() + LONGEST_WAIT_MS;
    for (let number = from; ; number += 1) {
      while (number >= this.reports.length) {
        const left = ends - Date.now();
        if (left <= 0) throw new Error(`no report of ${what}:\n${JSON.stringify(this.reports, null, 1)}\n${this.said}`);
        await new Promise((wake) => {
          const timer = setTimeout(wake, left);
          this.wake = () => (clearTimeout(timer), wake());
        });
      }
      const report = this.reports[number];
      if (report.failed) throw new Error(`the page fails: ${report.failed}`);
      if (isIt(report)) return { ...report, number };
    }
  }

  async close() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
    this.http.closeAllConnections();
    this.http.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
