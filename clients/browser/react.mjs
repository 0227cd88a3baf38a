// A page with the React SDK: what a component shows follows its flag.

import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, OpenFeatureProvider, useFlag } from "@openfeature/react-sdk";
import { createElement, useEffect } from "react";
import { createRoot } from "react-dom/client";

import { report, server } from "./page.mjs";

function Theme() {
  const { value, variant, reason } = useFlag("dark", false);
  const text = value ? "dark" : "light";
  useEffect(() => {
    report({ shown: document.getElementById("theme").textContent, variant, reason });
  });
  return createElement("p", { id: "theme" }, text);
}

await OpenFeature.setContext({ targetingKey: "bob" });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: server }));
createRoot(document.getElementById("root")).render(createElement(OpenFeatureProvider, null, createElement(Theme)));
