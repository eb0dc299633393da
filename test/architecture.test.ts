import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { codeBlocks, codeOf, readPage, sectionOf, tableRows } from "./support/documents.ts";

/** Which folders each folder may import besides itself. This table is the architecture. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  protocol: ["base"],
  redact: ["base", "protocol"],
  narinfo: ["base", "protocol"],
  signing: ["base", "protocol"],
  process: ["base", "protocol"],
  config: ["base", "protocol"],
  nix: ["base", "protocol", "process"],
  git: ["base", "protocol", "redact", "process"],
  forge: ["base", "protocol", "redact"],
  bus: ["base", "protocol"],
  host: ["base", "protocol", "narinfo", "process", "nix"],
  builder: ["base", "protocol", "signing", "nix", "git", "bus", "notify"],
  update: ["base", "protocol", "redact", "nix", "git", "bus", "forge", "notify"],
  cache: ["base", "protocol", "redact", "narinfo", "nix"],
  deploy: ["base", "protocol", "signing", "bus", "host"],
  rollout: ["base", "protocol", "signing", "bus", "deploy", "fleet", "notify"],
  metrics: ["base", "protocol", "redact"],
  notify: ["base", "protocol", "redact", "words", "process"],
  words: ["base", "protocol"],
  fleet: ["base", "protocol", "signing", "bus", "cache"],
  dashboard: ["base", "protocol", "bus", "words", "fleet"],
  wiring: [
    "base",
    "protocol",
    "redact",
    "narinfo",
    "signing",
    "process",
    "config",
    "nix",
    "host",
    "git",
    "forge",
    "bus",
    "builder",
    "update",
    "cache",
    "deploy",
    "rollout",
    "metrics",
    "notify",
    "words",
    "fleet",
    "dashboard",
  ],
  cli: [
    "base",
    "protocol",
    "redact",
    "narinfo",
    "signing",
    "process",
    "config",
    "nix",
    "host",
    "git",
    "forge",
    "bus",
    "builder",
    "update",
    "cache",
    "deploy",
    "rollout",
    "metrics",
    "notify",
    "words",
    "fleet",
    "dashboard",
    "wiring",
  ],
};

/** Services know an adapter only by the file that says what it can do. Wiring happens in wiring. */
const portsFor: Readonly<Record<string, readonly string[]>> = {
  builder: [
    "nix/evaluator.ts",
    "nix/store.ts",
    "nix/realiser.ts",
    "nix/gc-roots.ts",
    "git/git.ts",
    "bus/bus.ts",
    "notify/outbox.ts",
  ],
  // Of nix only what is pure knowledge of its files: wiring gives an update the rest.
  update: [
    "git/git.ts",
    "bus/bus.ts",
    "forge/forge.ts",
    "notify/outbox.ts",
    "nix/lock/flake-lock.ts",
    "nix/lock/flake-lock-diff.ts",
    "nix/lock/flake-lock-graft.ts",
    "nix/lock/flake-lock-check.ts",
    "nix/lock/registry-inputs.ts",
    "nix/store/closure-diff.ts",
  ],
  cache: ["nix/store.ts", "nix/gc-roots.ts"],
  deploy: ["bus/deploy-bus.ts", "host/system.ts", "host/closure-fetcher.ts", "host/probe.ts"],
  fleet: ["bus/bus.ts", "bus/deploy-bus.ts"],
  rollout: ["bus/bus.ts", "bus/deploy-bus.ts", "bus/rollout-bus.ts", "notify/outbox.ts"],
  dashboard: ["bus/bus.ts", "bus/deploy-bus.ts", "bus/rollout-bus.ts"],
};

/** Each library is known to few folders, those that wrap it. */
const owners: Readonly<Record<string, readonly string[]>> = {
  valibot: [
    "base",
    "protocol",
    "config",
    "signing",
    "nix",
    "host",
    "forge",
    "bus",
    "update",
    "cache",
    "deploy",
    "wiring",
    "cli",
  ],
  "@valibot/to-json-schema": ["config"],
  execa: ["process"],
  undici: ["narinfo"],
  "@nats-io/transport-node": ["bus"],
  "@nats-io/jetstream": ["bus"],
  "@nats-io/nkeys": ["bus", "signing"],
  "prom-client": ["metrics"],
  commander: ["cli"],
  "@commander-js/extra-typings": ["cli"],
  pino: ["cli"],
};

/** `@scope/name` of `@scope/name/lib/part.js`. */
const libraryOf = (name: string): string => name.split("/", name.startsWith("@") ? 2 : 1).join("/");

const folderOf = (path: string): string => relative("src", path).split("/")[0] ?? "";

function violation(file: string, to: string): string | undefined {
  const from = folderOf(file);
  if (to.startsWith("node:")) return undefined;
  if (!to.startsWith(".")) {
    return owners[libraryOf(to)]?.includes(from) === true ? undefined : `${file} imports the library ${to}`;
  }
  const path = join(dirname(file), to);
  const target = folderOf(path);
  if (target === from) return undefined;
  if (mayImport[from]?.includes(target) !== true) return `${file} imports ${to}`;
  const isAdapter = Object.values(portsFor).some((files) =>
    files.some((port) => folderOf(join("src", port)) === target),
  );
  const ports = portsFor[from];
  if (ports !== undefined && isAdapter && !ports.includes(relative("src", path))) {
    return `${file} imports ${to}, which is not a port`;
  }
  return undefined;
}

const sources = globSync("src/**/*.ts", { exclude: ["src/**/*.test.ts"] });
/** `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`, but not a text that ends in "from". */
const importPattern =
  /^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"(?<fixed>[^"]+)"|\bimport\(\s*"(?<lazy>[^"]+)"/gm;

const importsOf = (file: string): string[] =>
  [...readFileSync(file, "utf8").matchAll(importPattern)].map(
    ({ groups }) => groups?.["fixed"] ?? groups?.["lazy"] ?? "",
  );

test("imports only point down, and each library has its owners", () => {
  expect(sources.length).toBeGreaterThan(10);
  const violations = sources.flatMap((file) =>
    importsOf(file)
      .map((to) => violation(file, to))
      .filter((found) => found !== undefined),
  );
  expect(violations).toEqual([]);
});

test("the table knows every folder, and nothing but folders that exist", () => {
  expect(new Set(sources.map(folderOf))).toEqual(new Set(Object.keys(mayImport)));
});

test("no barrels, and no folder or file that is named after nothing", () => {
  expect(
    sources.filter((file) => /(?:^|\/)(?:index|utils?|helpers?|common|manager)\.ts$/.test(file)),
  ).toEqual([]);
});

test("no circle among files, and none among types", () => {
  const known = new Set(sources);
  const importsWithin = new Map(
    sources.map((file) => [
      file,
      importsOf(file)
        .map((to) => join(dirname(file), to))
        .filter((to) => known.has(to)),
    ]),
  );
  expect(circleIn(importsWithin)).toEqual([]);
  expect(
    circleIn(
      new Map([
        ["a", ["b"]],
        ["b", ["c"]],
        ["c", ["a"]],
      ]),
    ),
  ).toEqual(["a", "b", "c", "a"]);
});

/** Files that import one another, the first again at the end; empty when there are none. */
function circleIn(importsWithin: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): readonly string[] => {
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const to of importsWithin.get(file) ?? []) {
      const circle = visit(to);
      if (circle.length > 0) return circle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of importsWithin.keys()) {
    const circle = visit(file);
    if (circle.length > 0) return circle;
  }
  return [];
}

/** A folder with more files than this has no table of contents. */
const mostFiles = 25;

test("every room is small enough to be looked over, and none is called build", () => {
  const rooms = Map.groupBy(sources, dirname);
  expect(rooms.size).toBeGreaterThan(40);
  expect([...rooms].filter(([, files]) => files.length > mostFiles).map(([room]) => room)).toEqual([]);
  expect([...rooms.keys()].filter((room) => room.split("/").includes("build"))).toEqual([]);
});

/** How far a folder is above the ground: one more than the highest that it may import. */
const rankOf = (folder: string): number => Math.max(-1, ...(mayImport[folder] ?? []).map(rankOf)) + 1;

/** The table for people: the highest folders first, each with what it may import. */
function layerPicture(): string {
  const folders = Object.keys(mayImport).toSorted((a, b) => rankOf(b) - rankOf(a));
  const lines = folders.map((folder, index) => {
    const rank = rankOf(folder);
    const isFirst = index === 0 || rankOf(folders[index - 1] ?? "") !== rank;
    const imports = (mayImport[folder] ?? []).toSorted((a, b) => rankOf(b) - rankOf(a));
    const shown = imports.map((name) => {
      const start = `${name}/`;
      const ports = (portsFor[folder] ?? [])
        .filter((port) => port.startsWith(start))
        .map((port) => port.slice(start.length).replace(/\.ts$/, ""));
      if (ports.length === 0) return name;
      return `${start}${ports.length === 1 ? ports.join("") : `{${ports.join(",")}}`}.ts`;
    });
    return `${isFirst ? rank : " "}  ${folder.padEnd(10)}${shown.length === 0 ? "" : `-> ${shown.join("  ")}`}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

test("docs/internals/architecture.md shows this table", () => {
  const picture = codeBlocks(readPage("docs/internals/architecture.md")).find(
    ({ kind }) => kind === "layers",
  );
  expect(picture?.text).toBe(layerPicture());
});

test("docs/internals/architecture.md says what is in every room", () => {
  const rooms = new Set(sources.map(dirname).filter((room) => room.split("/").length > 2));
  const rows = tableRows(sectionOf(readPage("docs/internals/architecture.md"), "Rooms"));
  expect(rows.map(([room]) => codeOf(room))).toEqual([...rooms].toSorted());
});

test("docs/internals/architecture.md says what every folder does", () => {
  const rows = tableRows(sectionOf(readPage("docs/internals/architecture.md"), "Folders"));
  expect(rows.map(([folder]) => codeOf(folder)).toSorted()).toEqual(
    Object.keys(mayImport)
      .map((folder) => `src/${folder}`)
      .toSorted(),
  );
});

/** What a file lets others use: functions, constants and classes. */
const exportsOf = (file: string): readonly string[] =>
  [...readPage(file).matchAll(/^export (?:async )?(?:function|const|class) (?<name>\w+)/gm)].map(
    ({ groups }) => groups?.["name"] ?? "",
  );

test("docs/internals/architecture.md says where things are decided, and they are", () => {
  const rows = tableRows(sectionOf(readPage("docs/internals/architecture.md"), "Where it is decided"));
  expect(rows.length).toBeGreaterThanOrEqual(10);
  for (const [question, ...cells] of rows) {
    const spans = [...cells.join(" ").matchAll(/`(?<span>[^`]+)`/g)].map(
      ({ groups }) => groups?.["span"] ?? "",
    );
    const files = spans.filter((span) => span.includes("/"));
    const found = files.flatMap(exportsOf);
    const missing = spans.filter((span) => !span.includes("/") && !found.includes(span));
    expect([question, missing, files.length > 0]).toEqual([question, [], true]);
  }
});
