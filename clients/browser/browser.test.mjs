// The web SDK and the React SDK in a browser: answers, a ramp that is seen to move, and a kill that is seen at once. No provider polls.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Server } from "../node/server.mjs";
import { Page } from "./browser.mjs";

async function start(t) {
  const server = await Server.start();
  t.after(() => server.stop());
  return server;
}

async function open(t, script, server) {
  const page = await Page.open(script, server.url);
  t.after(() => page.close());
  return page;
}

/// Begins a ramp, and waits until the page has seen it before and after it came to its key.
async function moves(server, page) {
  for (let tries = 0; tries < 5; tries += 1) {
    const from = page.reports.length;
    const start_time = new Date(Date.now() + 3_000).toISOString();
    await server.define("flags/ramp", { stable: "old", new: "new", start_time, duration: "3s" });
    const isRamp = (report) => report.flagsChanged?.includes("ramp");
    const first = await page.reported("the definition of the ramp", isRamp, from);
    // On a machine that was busy for so long the ramp is over already.
    if (first.values.ramp.value !== "old") continue;
    return page.reported("the ramp", (report) => isRamp(report) && report.values.ramp.value === "new", first.number);
  }
  throw new Error("the page was never in time for the ramp");
}

const TIMEOUT = { timeout: 120_000 };

test("the web SDK sees values, a ramp that moves, and a kill", TIMEOUT, async (t) => {
  const server = await start(t);
  const page = await open(t, "web.mjs", server);

  const without = await page.reported("the start", (report) => report.step === "without a key");
  assert.equal(without.values.title.value, "Shop");
  assert.equal(without.values.half.errorCode, "TARGETING_KEY_MISSING");

  const first = await page.reported("the context", (report) => report.step === "with a key");
  const { dark, checkout, half, list, off, internal } = first.values;
  assert.deepEqual([dark.value, dark.variant, dark.reason], [true, "new", "TARGETING_MATCH"]);
  assert.deepEqual(dark.flagMetadata, { team: "web", risk: 2, audited: true });
  assert.deepEqual([checkout.value, half.reason], ["old", "SPLIT"]);
  assert.deepEqual([list.value, list.errorCode], [{}, "GENERAL"]);
  assert.deepEqual([off.value, off.reason, off.errorCode], [true, "DISABLED", undefined]);
  assert.equal(internal.errorCode, "FLAG_NOT_FOUND", "a flag for servers");

  const moved = await moves(server, page);

  // 0 % is a kill: it counts for early adopters, too.
  await server.activate("flags/dark", 0);
  const killed = await page.reported("the kill", (report) => report.values?.dark.value === false, moved.number);
  assert.deepEqual(killed.flagsChanged, ["dark"]);

  // A change that leaves the answer as it is: the page asks, and hears that nothing has changed.
  await server.activate("flags/title", 100);
  await server.activate("flags/dark", 100);
  const last = await page.reported("the end of the kill", (report) => report.values?.dark.value === true, killed.number);
  // Three requests came from the page itself: the start, the context, and perhaps one for the stream; all others from events.
  const { statuses, events } = last;
  assert.ok(events > 0 && statuses.length <= events + 3, `${statuses} after ${events} events`);
  assert.ok(statuses.every((status) => status === 200 || status === 304), `${statuses}`);
});

test("the tag reaches the web SDK, and an unchanged answer is 304", TIMEOUT, async (t) => {
  const server = await start(t);
  const page = await open(t, "web.mjs", server);
  const first = await page.reported("the context", (report) => report.step === "with a key");
  // `title` has one value: it changes and the answer does not, so its tag still holds.
  await server.activate("flags/title", 100);
  const same = await page.reported("a 304", (report) => report.step === "not modified", first.number);
  assert.ok(same.events > first.events, "asked because of an event");
});

test("a React component shows a change", TIMEOUT, async (t) => {
  const server = await start(t);
  const page = await open(t, "react.mjs", server);
  const light = await page.reported("the first look", (report) => report.shown === "light" && report.variant === "stable");
  await server.activate("flags/dark", 100);
  const dark = await page.reported("the activation", (report) => report.shown === "dark", light.number);
  assert.deepEqual([dark.variant, dark.reason], ["new", "STATIC"]);
  await server.activate("flags/dark", 0);
  await page.reported("the kill", (report) => report.shown === "light", dark.number);
});
