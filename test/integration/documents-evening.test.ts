// The command lines of the documents are run, in the order in which somebody follows them. What cannot be run here is
// listed with the reason, and nothing is left out without one.
import { globSync } from "node:fs";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { commandLines } from "../support/command-lines.ts";
import { codeBlocks, readPage } from "../support/documents.ts";
import { startEvening } from "../support/evening.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["*.md", "docs/**/*.md", "infra/*/*.md"].flatMap((glob) => globSync(glob, { cwd: root }));

interface Written {
  readonly page: string;
  readonly text: string;
  readonly words: readonly string[];
  readonly as: "operator" | "builder";
}

/** What a reader copies: lines of blocks of shell code. What a block shows as output is none. */
const written: readonly Written[] = pages.flatMap((page) =>
  codeBlocks(readPage(page))
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, "").split("\n"))
    .flatMap((line) =>
      commandLines(`\`\`\`sh\n${line}\n\`\`\``).map(({ text, words }) => ({
        page,
        text,
        words,
        as: line.includes("homelab-deploy-builder ") ? ("builder" as const) : ("operator" as const),
      })),
    ),
);

/** Why a line is not run here, and what runs it instead. */
const notRun: readonly (readonly [RegExp, string])[] = [
  [/^init /, "writes below /root: test/integration/init-install.test.ts runs the same three commands"],
  [/^up /, "goes on until Ctrl-C: test/integration/up.test.ts"],
  [/^(?:--config update\.json )?update\b/, "needs inputs that move: test/integration/update-command.test.ts"],
  [/^inputs --check$/, "needs inputs with remotes: test/integration/inputs-command.test.ts"],
  [
    /^cache (?:retain --keep|report)/,
    "is about a builder with a history: test/integration/cache-retain.test.ts",
  ],
  [
    /^keys create (?:~|deployer)/,
    "is in somebody's home: test/integration/deploy-command.test.ts makes such a key",
  ],
  [
    /^(?:deploy|rollback|reboot|hosts diff) /,
    "needs a host that speaks: test/integration/deploy-command.test.ts and deploy-lab.test.ts",
  ],
  [
    /^rollouts (?:show|abort|resume)\b/,
    "needs a rollout: test/integration/rollout-story.test.ts and rollouts-command.test.ts",
  ],
  [/^host /, "is typed on a host, as root: test/integration/deploy-by-hand.test.ts"],
];
const reasonOf = ({ text }: Written): string | undefined =>
  notRun.find(([pattern]) => pattern.test(text))?.[1];

/** Those that set up what the others need, and run first, in this order. */
const setUp = [/^nats keygen /, /^nats config /, /^--server \S+ --nkey admin\.nk .*nats setup$/];

/** What ends otherwise than with 0, because the documents say so, or because of the machine of the tests. */
const expected: readonly {
  readonly line: RegExp;
  readonly as?: Written["as"];
  readonly exitCode: number;
  readonly because: string;
}[] = [
  {
    line: /^--nkey old\.nk doctor$/,
    exitCode: 1,
    because: "an old key is not accepted, as the runbook says",
  },
  { line: /^--config \S+ doctor$/, exitCode: 1, because: "the machine of the tests has no sandbox" },
  { line: /^doctor$/, as: "builder", exitCode: 1, because: "the machine of the tests has no sandbox" },
  { line: /--branch try$/, exitCode: 1, because: "the branch has a mistake in it, as the guide says" },
];
const exitCodeOf = ({ text, as }: Written): number =>
  expected.find((each) => each.line.test(text) && (each.as ?? as) === as)?.exitCode ?? 0;

const test = base.extend("evening", { scope: "file" }, async ({}, { onCleanup }) => {
  const evening = await startEvening();
  onCleanup(() => evening[Symbol.asyncDispose]());
  return evening;
});

const settled = new Set<string>();

test("each reason is one of a line", () => {
  for (const [pattern] of notRun)
    expect(
      written.some(({ text }) => pattern.test(text)),
      String(pattern),
    ).toBe(true);
});

test("keys, a server and its streams are made as operations say", async ({ evening }) => {
  const lines = setUp.map((pattern) => written.filter(({ text }) => pattern.test(text)));
  const [keygens = [], configs = [], setups = []] = lines;
  for (const { words, text } of keygens) {
    const { exitCode, stdout, stderr } = await evening.run(words);
    expect(exitCode, `${text}\n${stderr}`).toBe(0);
    evening.keys.set(words.at(-1)?.split("/").at(-1) ?? "", /U[A-Z2-7]{55}/.exec(stdout)?.[0] ?? "");
    settled.add(text);
  }
  const configurations: string[] = [];
  for (const { words, text } of configs) {
    const { exitCode, stdout, stderr } = await evening.run(words);
    expect(exitCode, `${text}\n${stderr}`).toBe(0);
    configurations.push(stdout);
    settled.add(text);
  }
  // The first, of operations, and not the one in which a key was rotated.
  await evening.startServer(
    configurations.find((text) => text.includes(evening.keys.get("cache01.nk") ?? "?")) ?? "",
  );
  for (const { words, text } of setups) {
    const { exitCode, stderr } = await evening.run(words);
    expect(exitCode, `${text}\n${stderr}`).toBe(0);
    settled.add(text);
  }
});

test("the builder's configuration is the one that operations show, with what is here", async ({
  evening,
}) => {
  const blocks = codeBlocks(readPage("docs/guides/operations.md")).filter(
    ({ language }) => language === "json",
  );
  const shown = blocks.map(({ text }) => JSON.parse(text) as Record<string, Record<string, unknown>>);
  const operator = shown.find(({ nats }) => nats?.["inboxPrefix"] === "_INBOX_operator-kai");
  const builder = shown.find(({ nats }) => nats?.["inboxPrefix"] === "_INBOX_builder-cache01");
  expect([operator, builder]).not.toContain(undefined);
  const { directory, fleet, cache } = evening;
  const servers = [evening.serverUrl];
  const served = { url: cache.url, publicKeys: [cache.publicKey] };
  await evening.write("operator.json", {
    nats: { ...operator?.["nats"], servers, nkeyFile: join(directory, "kai.nk") },
    cache: served,
  });
  await evening.write("builder.json", {
    ...builder,
    nats: { ...builder?.["nats"], servers, nkeyFile: join(directory, "cache01.nk") },
    repos: { "nixos-servers": { url: fleet.url, branch: "main" } },
    builder: {
      ...builder?.["builder"],
      stateDirectory: join(directory, "state"),
      build: { minFreeGiB: 0.01 },
    },
    metrics: {},
    cache: served,
  });
  await evening.write("old.nk", "SUAAVWRZG6M5FA5VRRGWSCIHKTOJC7EWNIT4JV3FTOIPO4OBFR5WA7X5TE");
  expect((await evening.run(["config", "check", join(directory, "builder.json")])).exitCode).toBe(0);
  const hosts = { hosts: 0, extraHosts: ["web01", "testvm01"], logLines: 2 };
  await fleet.commit(hosts);
  await fleet.commit({ ...hosts, evalFail: { testvm01: "throw" } }, { branch: "try" });
  await evening.startBuilder();
  const built = await evening.run(["build", "--all", "--json"]);
  expect(built.exitCode, built.stderr).toBe(0);
  await evening.setSystem(/"outPath":"(?<path>[^"]+)"/.exec(built.stdout)?.groups?.["path"] ?? "");
});

test("every other line runs as it is written", async ({ evening }) => {
  const head = await evening.fleet.commit({
    hosts: 0,
    extraHosts: ["web01", "testvm01"],
    logLines: 2,
    salt: "next",
  });
  expect((await evening.run(["build", "--all", "-q"])).exitCode).toBe(0);
  const rest = written.filter((line) => !settled.has(line.text) && reasonOf(line) === undefined);
  expect(rest.length).toBeGreaterThan(25);
  const wrong: string[] = [];
  const once = new Map(rest.map((line) => [`${line.as} ${line.text}`, line]));
  for (const line of once.values()) {
    const { page, text, words, as } = line;
    // The last build is that of all hosts, as for somebody who reads the page alone.
    if (/\b(?:last|ID)\b/.test(text)) await evening.run(["build", "--all", "-q"]);
    const commit = words.map((word) => (/^(?:[0-9a-f]{40}|COMMIT)$/.test(word) ? head : word));
    const { exitCode, stdout, stderr } = await evening.run(commit, as);
    if (exitCode !== exitCodeOf(line))
      wrong.push(`${page}: ${text}: ${exitCode}\n${stdout.slice(-600)}${stderr.slice(-600)}`);
  }
  expect(wrong).toEqual([]);
});
