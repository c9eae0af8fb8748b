// Shows the OpenAPI document of this origin and sends requests to it. Everything from the document
// or an answer becomes text, never markup.
"use strict";

const METHODS_WITH_BODY = new Set(["post", "put", "patch"]);

/** An element with attributes and children; a string is text. */
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** Follows a `$ref` within the document. */
function resolve(api, value) {
  if (!value || !value.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((node, key) => node[key], api);
}

/** A short description of a schema: its type, words and bounds. */
function brief(api, schema) {
  const name = schema.$ref && schema.$ref.split("/").pop();
  if (name) return name;
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return choices.map((choice) => brief(api, choice)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((word) => (word === null ? "null" : word)).join(", ");
  const type = [].concat(schema.type || "any").join(" or ");
  if (schema.items) return `list of ${brief(api, schema.items)}`;
  const bounds = [
    ["minimum", "≥ "], ["maximum", "≤ "], ["minLength", "length ≥ "], ["maxLength", "length ≤ "],
    ["default", "default "],
  ].filter(([key]) => schema[key] !== undefined).map(([key, text]) => text + schema[key]);
  return [schema.format || type, ...bounds].join(", ");
}

/** The members of an object's schema as a table. */
function members(api, schema) {
  schema = resolve(api, schema);
  if (schema.type === "array") return members(api, schema.items);
  // One that has members and choices, too, chooses among the values of its members.
  const choices = !schema.properties && (schema.oneOf || schema.anyOf);
  if (choices) {
    const list = element("div");
    for (const choice of choices) {
      const table = members(api, choice);
      if (table && choice.title) list.append(element("h5", {}, choice.title));
      if (table) list.append(table);
    }
    return list;
  }
  if (!schema.properties) return undefined;
  const rows = Object.entries(schema.properties)
    .filter(([, member]) => !member.readOnly)
    .map(([name, member]) => element("tr", {},
      element("td", {}, element("code", {}, name), (schema.required || []).includes(name) ? " *" : ""),
      element("td", {}, brief(api, member)),
      element("td", {}, member.description || "")));
  return element("table", {}, element("tbody", {}, ...rows));
}

/** An example of a body: the schema's own, or its required members. */
function example(api, schema) {
  schema = resolve(api, schema);
  if (schema.examples) return schema.examples[0];
  if (schema.oneOf || schema.anyOf) return example(api, (schema.oneOf || schema.anyOf)[0]);
  if (schema.properties) {
    const required = schema.required || [];
    const names = required.length ? required : [];
    return Object.fromEntries(names.map((name) => [name, example(api, schema.properties[name])]));
  }
  if (schema.enum) return schema.enum[0];
  const kind = [].concat(schema.type)[0];
  return { string: "", integer: schema.minimum || 1, boolean: true, array: [] }[kind] ?? null;
}

/** The form of one operation, and what came back. */
function tryOut(api, path, method, operation) {
  const parameters = (operation.parameters || []).map((parameter) => resolve(api, parameter));
  const inputs = parameters.map((parameter) => {
    const input = element("input", {
      name: parameter.name,
      placeholder: parameter.schema ? brief(api, parameter.schema) : "",
      required: parameter.required ? "" : undefined,
    });
    const row = element("tr", {},
      element("td", {}, element("code", {}, parameter.name), parameter.required ? " *" : ""),
      element("td", {}, `in ${parameter.in}`),
      element("td", {}, input),
      element("td", {}, parameter.description || ""));
    return { parameter, input, row };
  });
  const content = operation.requestBody && operation.requestBody.content;
  const mediaType = content && Object.keys(content)[0];
  const body = content && METHODS_WITH_BODY.has(method)
    ? element("textarea", { "aria-label": "body", spellcheck: "false" },
        operation.requestBody.required
          ? JSON.stringify(example(api, content[mediaType].schema), null, 2)
          : "")
    : undefined;
  const output = element("pre", { hidden: "", "aria-live": "polite" });
  const send = async () => {
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of inputs) {
      if (!input.value) continue;
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (parameter.in === "query") query.append(parameter.name, input.value);
      else headers[parameter.name] = input.value;
    }
    const token = document.getElementById("token").value.trim();
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body && body.value) headers["Content-Type"] = mediaType;
    const search = query.toString();
    output.hidden = false;
    output.textContent = "…";
    try {
      const answer = await fetch(target + (search ? `?${search}` : ""), {
        method: method.toUpperCase(), headers, body: (body && body.value) || undefined, credentials: "omit",
      });
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
      const lines = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      output.textContent = `${answer.status} ${answer.statusText}\n${lines}\n\n${shown}`;
      keepToken(shown);
    } catch (error) {
      output.textContent = `The request could not be sent: ${error.message}`;
    }
  };
  return element("div", {},
    inputs.length ? element("table", {}, element("tbody", {}, ...inputs.map(({ row }) => row))) : undefined,
    body,
    element("p", {}, element("button", { type: "button", click: send }, "Send")),
    output);
}

/** A token that was just given is used from here on. */
function keepToken(text) {
  try {
    const token = JSON.parse(text).access_token;
    if (token) document.getElementById("token").value = token;
  } catch { /* an answer without one */ }
}

function answers(api, operation) {
  const rows = Object.entries(operation.responses).map(([status, answer]) => {
    const response = resolve(api, answer);
    const content = Object.values(response.content || {})[0];
    return element("tr", {},
      element("td", {}, element("code", {}, status)),
      element("td", {}, response.description.replaceAll("`", "")),
      element("td", {}, content ? brief(api, content.schema) : ""));
  });
  return element("table", {}, element("tbody", {}, ...rows));
}

function render(api, path, method, operation) {
  const details = element("details", { "data-text": `${method} ${path} ${operation.summary}`.toLowerCase() },
    element("summary", {},
      element("span", { class: "method" }, method),
      element("span", { class: "path" }, path),
      operation.summary));
  // Made when it is opened: the page stays light.
  details.addEventListener("toggle", () => {
    const scopes = (operation.security || []).flatMap((entry) => Object.values(entry).flat());
    const schema = operation.requestBody && Object.values(operation.requestBody.content)[0].schema;
    if (operation.description) details.append(element("p", {}, operation.description));
    if (scopes.length) details.append(element("p", {}, `Needs the scope ${scopes.join(", ")}.`));
    if (schema) {
      details.append(element("h4", {}, "Body"));
      const table = members(api, schema);
      if (table) details.append(table);
    }
    details.append(element("h4", {}, "Answers"), answers(api, operation));
    details.append(element("h4", {}, "Try it"), tryOut(api, path, method, operation));
  }, { once: true });
  return details;
}

async function start() {
  const main = document.getElementById("operations");
  let api;
  try {
    api = await (await fetch("/api/openapi.json")).json();
  } catch (error) {
    main.replaceChildren(element("p", {}, `The document could not be loaded: ${error.message}`));
    return;
  }
  document.getElementById("introduction").textContent = api.info.description;
  main.replaceChildren();
  for (const tag of api.tags) {
    const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation.tags.includes(tag.name) && !operation.operationId.endsWith("Own"))
        .map(([method, operation]) => render(api, path, method, operation)));
    main.append(element("section", {}, element("h2", {}, tag.name), element("p", {}, tag.description), ...operations));
  }
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const details of document.querySelectorAll("details")) {
      details.hidden = !details.dataset.text.includes(wanted);
    }
  });
}

start();
