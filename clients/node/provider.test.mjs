// The Node SDK with its OFREP provider: single evaluation, keys raw in the path.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";

import { Server } from "./server.mjs";

const BOB = { targetingKey: "bob", plan: "premium" };
let server;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await OpenFeature.close();
  await server.stop();
});

async function client(base = "") {
  await OpenFeature.setProviderAndWait(base || "root", new OFREPProvider({ baseUrl: server.url + base }));
  return OpenFeature.getClient(base || "root");
}

test("values have their types", async () => {
  const flags = await client();
  const check = async (details, value) => {
    const { value: found, errorCode, variant } = await details;
    assert.deepEqual([found, errorCode, variant], [value, undefined, "stable"]);
  };
  await check(flags.getBooleanDetails("dark", true, BOB), false);
  await check(flags.getStringDetails("title", "?", BOB), "Shop");
  await check(flags.getNumberDetails("count", 0, BOB), 3);
  await check(flags.getNumberDetails("factor", 0, BOB), 3);
  await check(flags.getObjectDetails("layout", {}, BOB), { columns: [1, 2] });
});

test("reasons, variants and metadata", async () => {
  const flags = await client();
  const dark = await flags.getBooleanDetails("dark", false, { targetingKey: "ann" });
  assert.deepEqual([dark.value, dark.reason, dark.variant], [true, "TARGETING_MATCH", "new"]);
  assert.deepEqual(dark.flagMetadata, { team: "web", risk: 2, audited: true });
  assert.equal((await flags.getStringDetails("half", "?", BOB)).reason, "SPLIT");
});

test("failures have their codes, and the default is that of the code", async () => {
  const flags = await client();
  for (const [flag, context, code] of [
    ["nowhere", BOB, "FLAG_NOT_FOUND"],
    ["half", {}, "TARGETING_KEY_MISSING"],
    ["list", BOB, "GENERAL"],
    ["title", { targetingKey: 5 }, "INVALID_CONTEXT"],
    ["count", BOB, "TYPE_MISMATCH"],
  ]) {
    const details = await flags.getStringDetails(flag, "default", context);
    assert.deepEqual([details.value, details.errorCode], ["default", code], JSON.stringify(details));
  }
  // This provider knows no answer without a value: it gives the default, and calls it an error.
  assert.equal((await flags.getBooleanDetails("off", true, BOB)).value, true);
});

test("names with slashes, and sections in the base URL", async () => {
  assert.equal(await (await client()).getStringValue("team/checkout", "?"), "old");
  assert.equal(await (await client("/")).getStringValue("team/checkout", "?"), "old");
  assert.equal(await (await client("/sections/team")).getStringValue("checkout", "?"), "old");
  assert.equal(await (await client("/sections/team/")).getStringValue("checkout", "?"), "old");
});

test("a change counts at once", async () => {
  const flags = await client();
  for (const [percentage, value] of [[100, true], [0, false]]) {
    await server.activate("flags/dark", percentage);
    assert.equal(await flags.getBooleanValue("dark", !value, BOB), value);
  }
});
