// A `tidegate serve` on a port of its own, for one test file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const DOCUMENT = fileURLToPath(new URL("../flags.json", import.meta.url));

export class Server {
  static async start(document = DOCUMENT, ...options) {
    const words = ["serve", "--listen", "127.0.0.1:0", "--document", document, ...options];
    const server = new Server();
    server.process = spawn(process.env.TIDEGATE_PROGRAM, words, { stdio: ["ignore", "ignore", "pipe"] });
    const said = [];
    for await (const line of createInterface({ input: server.process.stderr })) {
      said.push(line);
      if (line.startsWith("listening on ")) {
        server.url = line.slice("listening on ".length);
        // What it says from now on must not fill the pipe.
        server.process.stderr.resume();
        return server;
      }
    }
    throw new Error(`the server does not listen:\n${said.join("\n")}`);
  }

  async stop() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
  }

  activate(flag, percentage) {
    return this.put(`/api/v1/flags/${flag}/activation`, { percentage });
  }

  define(flag, entry) {
    return this.put(`/api/v1/flags/${flag}`, entry);
  }

  async put(path, body) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(this.url + path, { method: "PUT", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
  }
}
