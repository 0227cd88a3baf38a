// What both pages have in common: where the server is, and how they tell the test what they see.

export const server = new URLSearchParams(location.search).get("server");

/// Requests for flags and events of streams since the page was opened.
export const seen = { statuses: [], events: 0 };

const realFetch = window.fetch.bind(window);
window.fetch = async (...words) => {
  const answer = await realFetch(...words);
  seen.statuses.push(answer.status);
  if (answer.status === 304) report({ step: "not modified" });
  return answer;
};

const RealEventSource = window.EventSource;
window.EventSource = class extends RealEventSource {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", () => (seen.events += 1));
  }
};

export function report(what) {
  return realFetch("/report", { method: "POST", body: JSON.stringify({ ...what, ...seen }) });
}

window.addEventListener("error", (event) => report({ failed: String(event.message) }));
window.addEventListener("unhandledrejection", (event) => report({ failed: String(event.reason) }));
