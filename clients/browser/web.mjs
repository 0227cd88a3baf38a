// A page with the web SDK and its OFREP provider, as their documentation sets them up.

import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";

import { report, server } from "./page.mjs";

const client = OpenFeature.getClient();

function values() {
  return {
    dark: client.getBooleanDetails("dark", false),
    ramp: client.getStringDetails("ramp", "?"),
    title: client.getStringDetails("title", "?"),
    checkout: client.getStringDetails("team/checkout", "?"),
    half: client.getStringDetails("half", "?"),
    list: client.getObjectDetails("list", {}),
    off: client.getBooleanDetails("off", true),
    internal: client.getStringDetails("internal", "?"),
  };
}

OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, ({ flagsChanged }) => report({ flagsChanged, values: values() }));
OpenFeature.addHandler(ProviderEvents.Error, (details) => report({ failed: details?.message ?? "error" }));

// Without a key first: the provider has to start all the same.
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: server }));
await report({ step: "without a key", values: values() });
await OpenFeature.setContext({ targetingKey: "ann", plan: "premium" });
await report({ step: "with a key", values: values() });
