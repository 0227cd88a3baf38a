// Shows the contract of this server, openapi.json, and nothing else.

const root = document.getElementById("contract");
const contents = document.getElementById("contents");
let contract;

/// An element with attributes and children; a text becomes a text node, so that no text of the contract is read as HTML.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat());
  return made;
}

/// `code` and [links](https://example.com) of one line.
function inline(text) {
  const parts = text.split(/(`[^`]+`|\[[^\]]+\]\(https?:[^)]+\))/);
  return parts.filter((part) => part !== "").map((part) => {
    if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    const link = part.match(/^\[([^\]]+)\]\(([^)]+)\)$/);
    return link ? element("a", { href: link[2], rel: "noreferrer" }, link[1]) : part;
  });
}

/// Paragraphs and tables, which is all that the texts of the contract have.
function markdown(text = "") {
  return text.trim().split(/\n{2,}/).filter(Boolean).map((block) => {
    if (!block.startsWith("|")) return element("p", {}, inline(block));
    const rows = block.split("\n").map((row) => row.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim()));
    return table(rows[0], rows.slice(2).map((row) => row.map(inline)));
  });
}

function table(heads, rows) {
  const head = element("tr", {}, heads.map((text) => element("th", {}, inline(text))));
  const body = rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, body));
}

function resolve(value) {
  if (!value?.$ref) return value;
  const names = value.$ref.slice(2).split("/").map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  return names.reduce((found, name) => found[name], contract);
}

/// The type of a value, with links to schemas.
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return [element("a", { href: `#schema-${name}` }, name)];
  }
  const parts = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (parts) return parts.flatMap((part, number) => (number ? [" or ", ...typeOf(part)] : typeOf(part)));
  if (schema.enum) return inline(schema.enum.map((value) => `\`${value}\``).join(" or "));
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items ?? {})];
  if (schema.type === undefined) return ["any JSON"];
  return [[schema.type].flat().map((type) => (schema.format === "date-time" && type === "string" ? "instant" : type)).join(" or ")];
}

function example(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return element("pre", {}, element("code", {}, text));
}

function operationParts(method, path, operation) {
  const title = element("h3", { id: operation.operationId }, element("span", { class: "method" }, method.toUpperCase()), " ", element("code", {}, path));
  const parts = [title, element("p", {}, element("strong", {}, `${operation.summary}.`)), ...markdown(operation.description)];
  const parameters = operation.parameters ?? [];
  if (parameters.length) {
    const rows = parameters.map((one) => [inline(`\`${one.name}\``), one.required ? `${one.in}, required` : one.in, inline(one.description ?? ""), one.example === undefined ? "" : inline(`\`${one.example}\``)]);
    parts.push(element("h4", {}, "Parameters"), table(["name", "in", "is", "example"], rows));
  }
  for (const [kind, content] of Object.entries(operation.requestBody?.content ?? {})) {
    parts.push(element("h4", {}, "Body: ", ...(kind === "application/json" ? typeOf(content.schema) : inline(`\`${kind}\``))));
    if (content.example !== undefined) parts.push(example(content.example));
  }
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    response = resolve(response);
    const bodies = Object.entries(response.content ?? {}).map(([kind, content]) => {
      if (kind === "application/problem+json") return [element("a", { href: "#schema-Problem" }, "Problem")];
      return kind === "application/json" ? typeOf(content.schema) : inline(`\`${kind}\``);
    });
    return [status, inline(response.description), bodies.flat()];
  });
  parts.push(element("h4", {}, "Answers"), table(["status", "is", "body"], answers));
  return parts;
}

function schemaParts(name, schema) {
  const parts = [element("h3", { id: `schema-${name}` }, name), ...markdown(schema.description)];
  const required = schema.required ?? [];
  const rows = Object.entries(schema.properties ?? {}).map(([member, value]) => {
    return [inline(`\`${member}\``), typeOf(value), required.includes(member) ? "" : "may be absent", inline(value.description ?? "")];
  });
  if (rows.length) parts.push(table(["member", "type", "", "is"], rows));
  return parts;
}

function group(title, id, links) {
  contents.append(element("strong", {}, element("a", { href: `#${id}` }, title)), element("ul", {}, links.map(([text, target]) => element("li", {}, element("a", { href: `#${target}` }, text)))));
}

function show() {
  const parts = [element("h1", {}, `${contract.info.title} ${contract.info.version}`)];
  parts.push(element("p", {}, "The contract as OpenAPI 3.1: ", element("a", { href: "openapi.json" }, "openapi.json")), ...markdown(contract.info.description));
  const operations = Object.entries(contract.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ method, path, operation })));
  for (const tag of contract.tags) {
    const own = operations.filter(({ operation }) => operation.tags.includes(tag.name));
    const id = `tag-${tag.name}`;
    const title = tag.name === "ofrep" ? "OFREP" : tag.name[0].toUpperCase() + tag.name.slice(1);
    group(title, id, own.map(({ method, path, operation }) => [`${method.toUpperCase()} ${path}`, operation.operationId]));
    parts.push(element("h2", { id }, title), ...markdown(tag.description));
    for (const { method, path, operation } of own) parts.push(...operationParts(method, path, operation));
  }
  const schemas = Object.entries(contract.components.schemas);
  group("Schemas", "schemas", schemas.map(([name]) => [name, `schema-${name}`]));
  parts.push(element("h2", { id: "schemas" }, "Schemas"));
  for (const [name, schema] of schemas) parts.push(...schemaParts(name, schema));
  root.replaceChildren(...parts);
  // The browser has looked for the place in the address before it was there.
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  contract = await answer.json();
  show();
} catch (error) {
  root.replaceChildren(element("p", { class: "failed", role: "alert" }, `The contract cannot be shown: ${error.message}.`));
}
