"use strict";
const texts = JSON.parse(document.getElementById("texts").textContent);

function made(tag, text, parent, kind) {
  const one = document.createElement(tag);
  if (text) one.textContent = text;
  if (kind) one.className = kind;
  parent.append(one);
  return one;
}

function resolved(schema, all) {
  if (schema && schema.$ref) return resolved(all[schema.$ref.split("/").pop()], all);
  if (!schema || typeof schema !== "object") return schema;
  if (Array.isArray(schema)) return schema.map((one) => resolved(one, all));
  return Object.fromEntries(Object.entries(schema).map(([name, one]) => [name, resolved(one, all)]));
}

function shape(content, all, parent) {
  for (const [type, one] of Object.entries(content || {})) {
    const details = made("details", "", parent);
    made("summary", type, details);
    const pre = made("pre", JSON.stringify(resolved(one.schema, all), null, 1), details);
    pre.tabIndex = 0;
  }
}

function operation(path, method, one, shared, all, parent) {
  const section = made("section", "", parent);
  const title = made("h2", "", section);
  made("code", method.toUpperCase() + " " + path, title);
  made("p", one.summary, section);
  const parameters = [...shared, ...(one.parameters || [])];
  if (parameters.length) {
    made("h3", texts.parameters, section);
    const list = made("dl", "", section);
    for (const parameter of parameters) {
      made("dt", parameter.name, list);
      made("dd", parameter.description || parameter.in, list);
    }
  }
  if (one.requestBody) {
    made("h3", texts.body, section);
    shape(one.requestBody.content, all, section);
  }
  made("h3", texts.responses, section);
  for (const [status, response] of Object.entries(one.responses)) {
    made("p", status + "  " + response.description, section);
    shape(response.content, all, section);
  }
}

async function start() {
  const document_ = await (await fetch("openapi.json")).json();
  const all = document_.components.schemas;
  const parent = document.getElementById("paths");
  for (const [path, methods] of Object.entries(document_.paths)) {
    const shared = methods.parameters || [];
    for (const [method, one] of Object.entries(methods)) {
      if (method !== "parameters") operation(path, method, one, shared, all, parent);
    }
  }
}

start();
