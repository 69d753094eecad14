// definitions.mjs FOLDER <RESOURCES: of each, what its custom resource definition says against it, and the fields of its spec
// that the definition does not know. FOLDER has node_modules; both are JSON.
import { readFileSync } from "node:fs";

const folder = process.argv[2];
const packages = { "fluxcd.io": "flux-cd", "coreos.com": "prometheus-operator" };
const capital = (word) => word[0].toUpperCase() + word.slice(1);

function* fields(value) {
  if (Array.isArray(value)) for (const one of value) yield* fields(one);
  else if (value && typeof value === "object")
    for (const [name, inner] of Object.entries(value)) {
      yield name;
      if (name !== "matchLabels") yield* fields(inner);
    }
}

const found = [];
for (const resource of JSON.parse(readFileSync(0, "utf-8"))) {
  const [group, version] = resource.apiVersion.split("/");
  const name = group.split(".").map(capital).join("") + capital(version) + resource.kind;
  const kept = packages[group.split(".").slice(-2).join(".")];
  const file = `${folder}/node_modules/@kubernetes-models/${kept}/_schemas/${name}.js`;
  const { validate } = await import(file);
  const code = readFileSync(file, "utf-8");
  const errors = validate(resource) ? [] : validate.errors.map((error) => `${error.instancePath} ${error.keyword}`);
  const unknown = [...fields(resource.spec)].filter((field) => !code.includes(`"/${field}"`));
  found.push([...errors, ...unknown.map((field) => `${field} unknown`)]);
}
console.log(JSON.stringify(found));
