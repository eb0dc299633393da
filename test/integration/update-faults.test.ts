// Updates whose forge fails at every step of proposing, and logs that try to get out of where they belong.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, test as base } from "vitest";
import { HomelabError } from "../../src/base/errors.ts";
import type { Describe, Proposal } from "../../src/update/update.ts";
import { createMemoryJournal } from "../../src/update/journal.ts";
import { propose } from "../../src/update/propose/propose.ts";
import {
  badGateway,
  internalError,
  tooLarge,
  type CannedAnswer,
  type Effect,
} from "../support/forge-server/faults.ts";
import type { ForgeState } from "../support/forge-server/forge-state.ts";
import { startForgeServer } from "../support/forge-server/forge-server.ts";
import { startForgeUpdater } from "../support/forge-updater.ts";
import { markdownNodes, proseOf } from "../support/markdown-tree.ts";
import { createUpdateLab } from "../support/update-lab.ts";

const test = base
  .extend("forge", { scope: "file" }, async ({}, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-forge-"));
    const server = await startForgeServer({ kind: "gitea", directory });
    onCleanup(async () => {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });
    return server;
  })
  .extend("lab", { scope: "file" }, async ({ forge }, { onCleanup }) => {
    const lab = await createUpdateLab(["host01", "host02"], forge.remote.path);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("updater", { scope: "file" }, async ({ forge, lab }, { onCleanup }) => {
    const updater = await startForgeUpdater(lab, forge);
    onCleanup(() => updater[Symbol.asyncDispose]());
    return updater;
  })
  .extend("validated", { scope: "file" }, async ({ lab, updater }) => {
    await lab.bump("beta", { value: newValue(), breaks });
    const options = await updater.compose();
    const proposals: Proposal[] = [];
    const keeping: Describe = async (...args) => {
      const proposal = await options.proposing.describe(...args);
      proposals.push(proposal);
      return proposal;
    };
    const result = await updater.update({
      ...options,
      proposing: { ...options.proposing, describe: keeping },
    });
    const [proposal] = proposals;
    if (result.type !== "proposed" || proposal === undefined) throw new Error(`it was ${result.type}`);
    return { options, proposal, branch: result.branch, commit: result.validated.candidate.commit };
  })
  .extend("proposed", async ({ lab, updater, validated: { options, proposal, branch, commit } }) => {
    await updater.forget();
    await lab.git("-C", lab.remote, "branch", branch, commit);
    const { forge } = options.proposing;
    if (forge === undefined) throw new Error("an updater of this file has a forge");
    const parts = { ...options.run, ...options.source, forge };
    const again = async () =>
      propose(
        { ...parts, journal: createMemoryJournal() },
        branch,
        commit,
        proposal,
        AbortSignal.timeout(30_000),
      );
    return { again };
  });

let values = 1;
const newValue = (): string => String(++values);
const breaks = ["host01", "host02"];
const wholeRuns = ["the pull request", "a file"];

/** One pull request with its label, and the log of each host that breaks as one comment with one file. */
function expectWhole({ pulls, comments, labels }: ForgeState): void {
  expect(pulls.map(({ state, labels: own }) => [state, own.map(({ name }) => name)])).toEqual([
    ["open", ["build-failure"]],
  ]);
  expect(labels).toHaveLength(new Set(labels.map(({ name }) => name)).size);
  expect(comments.map(({ files }) => files.length)).toEqual(breaks.map(() => 1));
  expect(new Set(comments.map(({ files }) => files[0]?.name)).size).toBe(breaks.length);
  for (const { body } of comments) expect(body).toContain("attached");
}

describe("a forge that fails while an update is proposed", () => {
  beforeEach<{ updater: Awaited<ReturnType<typeof startForgeUpdater>> }>(async ({ updater }) =>
    updater.forget(),
  );

  const json = (status: number, message: string): CannedAnswer => ({
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message, url: "http://root-url.invalid/api/swagger" }),
  });
  const steps = {
    "the list of pull requests": ["GET", /\/pulls$/],
    "the pull request": ["POST", /\/pulls$/],
    "the label": ["POST", /\/labels$/],
    "the list of comments": ["GET", /\/comments$/],
    "a comment": ["POST", /\/comments$/],
    "a file": ["POST", /\/assets$/],
  } as const;
  const answers: Readonly<Record<string, Effect>> = {
    "nothing, and the connection ends": { type: "drop-before" },
    "502": { type: "answer", answer: badGateway },
    "nothing, but it is done": { type: "drop-after" },
    "500": { type: "answer", answer: internalError },
    "409": { type: "answer", answer: json(409, "it exists already") },
    "413": { type: "answer", answer: tooLarge },
    "422": { type: "answer", answer: json(422, "[Body]: invalid") },
  };
  const cases = Object.entries(steps).flatMap(([step, [method, path]]) =>
    Object.entries(answers).map(([answer, effect]) => ({ step, answer, method, path, effect })),
  );

  test.for(cases)(
    "asked for $step it answers with $answer: the next try completes it",
    async ({ method, path, effect }, { forge, proposed }) => {
      forge.faults.add({ method, path, times: 1000, effect });
      const disturbed = await proposed.again().then(
        ({ type }) => type,
        (error: unknown) => (error instanceof HomelabError ? error.kind : error),
      );
      // What cannot be reached, or refused, is said; anything else would be a bug.
      expect(["proposed", "unavailable", "refused"]).toContain(disturbed);
      expect(forge.faults.waiting).toBeLessThan(1000);
      forge.faults.clear();
      expect((await proposed.again()).type).toBe("proposed");
      expectWhole(forge.state);
    },
  );

  test.for(cases.filter(({ answer, step }) => answer === "502" && wholeRuns.includes(step)))(
    "a whole run that is answered with 502, asked for $step: the next run completes it",
    async ({ method, path, effect }, { forge, lab, updater }) => {
      const master = (await lab.branches())["master"];
      await lab.bump("beta", { value: newValue(), breaks });
      const options = await updater.compose();
      forge.faults.add({ method, path, times: 1000, effect });
      await expect(updater.update(options)).rejects.toMatchObject({ kind: "unavailable" });
      forge.faults.clear();
      expect((await updater.update()).type).toBe("proposed");
      expectWhole(forge.state);
      expect((await lab.branches())["master"]).toBe(master);
    },
  );

  test("it takes no files: the comments have the end of the log instead, and stay as they are", async ({
    forge,
    lab,
    updater,
  }) => {
    await lab.bump("beta", { value: newValue(), breaks });
    forge.state.attachments.enabled = false;
    for (const run of [1, 2]) {
      expect((await updater.update()).type, `run ${run}`).toBe("proposed");
      expect(forge.state.pulls).toHaveLength(1);
      expect(forge.state.comments).toHaveLength(breaks.length);
      for (const { body } of forge.state.comments) {
        expect(body).toContain("does not take the file");
        expect(body).toContain("E: it does not compile");
      }
    }
    forge.state.attachments.enabled = true;
  });

  test("it is down from the beginning to the end: nothing is lost", async ({ forge, lab, updater }) => {
    await lab.bump("beta", { value: newValue(), breaks });
    const options = await updater.compose();
    forge.isDown = true;
    await expect(updater.update(options)).rejects.toMatchObject({ kind: "unavailable" });
    expect(forge.state.pulls).toEqual([]);
    forge.isDown = false;
    expect((await updater.update()).type).toBe("proposed");
    expect(forge.state.pulls).toHaveLength(1);
  });
});

test("a secret that builds and evaluations print is nowhere: not on the forge, in files, or on the terminal", async ({
  forge,
  lab,
  updater,
}) => {
  await updater.forget();
  const { token } = forge.bot;
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const shapes = [
    token,
    base64(token),
    base64(`homelab-bot:${token}`),
    `https://bot:${token}@git.lan/x.git?t=${token}`,
  ];
  await lab.bump("beta", {
    value: newValue(),
    breaks: ["host01"],
    throws: ["host02"],
    prints: `secret ${shapes.join(" and ")} end of secrets`,
  });
  const said = [await updater.command(), await updater.command("--json")];
  expect(said.map(({ exitCode }) => exitCode)).toEqual([1, 1]);
  const { pulls, comments } = forge.state;
  const files = comments.flatMap((comment) => comment.files.map(({ bytes }) => gunzipSync(bytes).toString()));
  const seen = {
    pulls: pulls.map(({ title, body }) => `${title}\n${body}`).join("\n"),
    comments: comments.map(({ body }) => body).join("\n"),
    files: files.join("\n"),
    stdout: said.map(({ stdout }) => stdout).join("\n"),
    stderr: said.map(({ stderr }) => stderr).join("\n"),
    ...(await updater.written()),
  };
  // It did come by: otherwise this would prove nothing.
  for (const place of ["pulls", "comments", "files"] as const)
    expect(seen[place]).toContain("end of secrets");
  const names = Object.keys(seen).join(" ");
  for (const name of ["report.md", "report.json", "journal.jsonl"]) expect(names).toContain(name);
  const cores = [token, base64(token).slice(4, -4), base64(`homelab-bot:${token}`).slice(20, -4)];
  for (const [place, text] of Object.entries(seen)) {
    for (const core of cores) expect(text.includes(core), `${core} in ${place}`).toBe(false);
  }
});

test("a log that tries to be more than text is only inside code", async ({ forge, lab, updater }) => {
  await updater.forget();
  const evil = [
    "```",
    "closes #1 @all",
    "~~~~~~~~",
    "``````````text",
    "</details></details><img src=x onerror=alert(1)><script>alert(2)</script>",
    "<!-- homelab-deploy:log evil --> [click](https://evil.invalid) ![pixel](https://evil.invalid/p.png)",
    "    fixes #2, resolves home/nixos-servers#3 https://evil.invalid/bare",
    "| a | b |",
    "\u001b]8;;https://evil.invalid\u0007link\u001b]8;;\u0007 \u202eevil",
    "`````````````````` @team",
  ].join("\n");
  await lab.bump("beta", { value: newValue(), breaks: ["host01"], throws: ["host02"], prints: evil });
  expect((await updater.update()).type).toBe("proposed");
  const texts = [...forge.state.pulls, ...forge.state.comments].map(({ body }) => body);
  expect(texts.join("\n")).toContain("@all");
  for (const text of texts) {
    expect(proseOf(text)).not.toMatch(/@all|@team|#\d|evil|<script|<img|alert/);
    const nodes = markdownNodes(text);
    expect(nodes.filter(({ type }) => type === "image")).toEqual([]);
    for (const { url } of nodes) expect(url ?? "").not.toContain("evil");
    const html = nodes.filter(({ type }) => type === "html").map(({ value }) => value);
    for (const each of html)
      expect(each).toMatch(
        /^(?:<\/?details>(?:<summary>[A-Za-z ,']+<\/summary>)?|<!-- homelab-deploy:[^<>]* -->)$/,
      );
  }
});

test(
  "twenty updates at the same time: one lands, the others say that one runs or that nothing is left",
  {
    timeout: 600_000,
  },
  async ({ lab, updater }) => {
    await updater.forget();
    await lab.bump("beta", { value: newValue() });
    const count = async (): Promise<number> =>
      Number(await lab.git("-C", lab.remote, "rev-list", "--count", "master"));
    const before = await count();
    const machines = Array.from({ length: 20 }, (_, number) => `machine${number}`);
    const runs = await Promise.all(machines.map((machine) => updater.compose(machine)));
    const outcomes = await Promise.all(
      runs.map((options) =>
        updater.update(options).then(
          ({ type }) => type,
          (error: unknown) => (error instanceof HomelabError ? error.code : String(error)),
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === "landed")).toHaveLength(1);
    expect(
      outcomes.filter((outcome) => !["landed", "no-change", "UPDATE_RUNNING"].includes(String(outcome))),
    ).toEqual([]);
    expect(await count()).toBe(before + 1);
    expect(Object.keys(await lab.branches())).toEqual(["master"]);
  },
);
