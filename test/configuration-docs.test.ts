import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configJsonSchema, type JsonSchema } from "../src/config/json-schema.ts";
import { parseConfig } from "../src/config/load.ts";
import { configurationMarkdown, exampleConfig } from "../src/config/markdown.ts";

/** Every schema in the schema, with its path. */
function* within(schema: JsonSchema, path: string): Iterable<readonly [string, JsonSchema]> {
  yield [path, schema];
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* within(property, `${path}.${name}`);
  if (typeof schema.additionalProperties === "object")
    yield* within(schema.additionalProperties, `${path}.*`);
}

test("docs/reference/configuration.md is what the schema says (npm run docs)", () => {
  const written = readFileSync(join(import.meta.dirname, "../docs/reference/configuration.md"), "utf8");
  expect(written).toBe(configurationMarkdown());
});

test("the NixOS modules compare settings with this schema (npm run docs)", () => {
  const written = readFileSync(join(import.meta.dirname, "../nix/modules/settings-schema.json"), "utf8");
  expect(JSON.parse(written)).toEqual(configJsonSchema());
});

test("every setting has a description and a type", () => {
  const settings = [...within(configJsonSchema(), "")].filter(
    ([path]) => path !== "" && !path.endsWith(".*"),
  );
  expect(settings.length).toBeGreaterThan(40);
  expect(settings.filter(([, { description }]) => description === undefined)).toEqual([]);
  expect(configurationMarkdown()).not.toContain("anything");
});

test("the example is a configuration without a warning", () => {
  const { warnings } = parseConfig(JSON.stringify(exampleConfig), "example", "builder");
  expect(warnings).toEqual([]);
});

test("links lead to sections that exist", () => {
  const text = configurationMarkdown();
  const anchors = [...text.matchAll(/^## (?<heading>.*)$/gm)].map((match) =>
    (match.groups?.["heading"] ?? "").toLowerCase().replace(/[^a-z0-9 _-]/g, ""),
  );
  const links = [...text.matchAll(/\]\(#(?<anchor>[^)]*)\)/g)].map((match) => match.groups?.["anchor"]);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((link) => link === undefined || !anchors.includes(link))).toEqual([]);
});

test("every pattern of the JSON schema works as validators read it", () => {
  const patterns = [...JSON.stringify(configJsonSchema()).matchAll(/"pattern":(?<text>"(?:[^"\\]|\\.)*")/g)];
  expect(patterns.length).toBeGreaterThan(10);
  for (const { groups } of patterns) {
    expect(() => new RegExp(JSON.parse(groups?.["text"] ?? "") as string, "u")).not.toThrow();
  }
});
