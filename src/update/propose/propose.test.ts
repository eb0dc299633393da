import { expect, test } from "vitest";
import { requireTip } from "../../../test/support/fake-repository.ts";
import { master, simulateUpdate } from "../../../test/support/simulated-update.ts";
import { parseBranchName } from "../../protocol/names.ts";
import type { Proposal } from "../update.ts";
import { supersededNote } from "./decide-pull-requests.ts";
import { propose } from "./propose.ts";
import { markerStart, printMarker } from "./pull-request-marker.ts";
import { branchesOfPeople, supersede, tendStale, type TendOptions } from "./tend-proposals.ts";

const signal = AbortSignal.timeout(60_000);
const stale = { remindAfterDays: 7, closeAfterDays: 14 };
const dayMs = 86_400_000;
const lockOf = (text: string): string => `sha256-${text.repeat(43)}=`;

async function simulateProposals() {
  const sim = await simulateUpdate();
  const { run, source, proposing } = sim.options;
  const { forge, repository } = sim;
  const base = requireTip(repository, master);
  const options = { ...run, ...source, ...proposing, forge };
  const tending: TendOptions = options;
  /** A branch with one commit of ours. */
  async function branchOf(name: string) {
    const branch = parseBranchName(`flake-update/${name}`);
    const message = `Update\n\nHomelab-Update-Base: ${base}`;
    const { author } = source;
    const files = new Map([["flake.lock", name]]);
    const commit = await repository.commit(
      { parent: base, files, message, author, date: new Date(0) },
      signal,
    );
    repository.refs.set(`refs/heads/${branch}`, commit);
    return { branch, commit };
  }
  const proposalOf = (lock: string, changed: Partial<Proposal> = {}): Proposal => ({
    title: "Update",
    body: `${printMarker({ run: "run", base, lock: lockOf(lock) })}\n\n**It breaks.**\n\nwhy`,
    labels: [{ name: "build-failure", colour: "#d73a4a", description: "" }],
    lock: lockOf(lock),
    comments: [],
    ...changed,
  });
  async function proposed(name: string, lock: string, changed?: Partial<Proposal>) {
    const { branch, commit } = await branchOf(name);
    const result = await propose(options, branch, commit, proposalOf(lock, changed), signal);
    return { ...result, branch };
  }
  return { ...sim, tending, branchOf, proposed };
}

test("a proposal is one pull request, however often it is made", async () => {
  const { proposed, forge, journal } = await simulateProposals();
  const file = { name: "web-a.log.gz", bytes: new Uint8Array([1]) };
  const comments = [
    {
      marker: "<!-- homelab-deploy:log web-a.log.gz -->",
      body: "<!-- homelab-deploy:log web-a.log.gz -->\nlog",
      file,
    },
  ];
  for (const run of [1, 2]) {
    expect((await proposed("2026-11-23", "a", { comments })).type, `run ${run}`).toBe("proposed");
    expect(forge.pulls).toMatchObject([{ state: "open", labels: ["build-failure"] }]);
    expect(forge.said).toHaveLength(1);
  }
  expect(journal.entries.map(({ step }) => step)).toEqual(["proposing", "proposed", "proposing", "proposed"]);
});

test("where the forge takes no file, the comment says what it would have had", async () => {
  const { proposed, forge } = await simulateProposals();
  forge.takesFiles = false;
  const file = { name: "a.log.gz", bytes: new Uint8Array([1]) };
  await proposed("2026-11-23", "a", {
    comments: [{ marker: "<!-- a -->", body: "<!-- a -->", file, bodyWithoutFile: "<!-- a -->\nits end" }],
  });
  expect(forge.said.map(({ body }) => body)).toEqual(["<!-- a -->\nits end"]);
});

test("a later state of the same pull request has its own labels, and old logs are marked", async () => {
  const { proposed, forge } = await simulateProposals();
  const marker = "<!-- homelab-deploy:log a.log.gz -->";
  await proposed("2026-11-23", "a", { comments: [{ marker, body: `${marker}\nlog` }] });
  await proposed("2026-11-23", "b", {
    labels: [{ name: "needs-review", colour: "#fbca04", description: "" }],
  });
  expect(forge.pulls).toMatchObject([{ labels: ["needs-review"] }]);
  expect(forge.said[0]?.body).toContain("**Outdated:**");
});

test("a new proposal closes ours of before, and deletes its branch", async () => {
  const { proposed, forge, repository } = await simulateProposals();
  const old = await proposed("2026-11-22", "a");
  await proposed("2026-11-23", "b");
  expect(forge.pulls.map(({ state }) => state)).toEqual(["closed", "open"]);
  expect(forge.pulls[0]?.body).toContain(supersededNote);
  expect(forge.said[0]?.body).toContain(
    "Closed: a newer update is proposed in https://git.example/home/fleet/pulls/2.",
  );
  expect(repository.tip(old.branch)).toBeUndefined();
});

test("what we closed ourselves is proposed again; what a person closed is not", async () => {
  const { proposed, forge, tending } = await simulateProposals();
  await proposed("2026-11-22", "a");
  await supersede(tending, { why: "something" }, signal);
  expect((await proposed("2026-11-23", "a")).type).toBe("proposed");
  for (const pull of forge.pulls) pull.state = "closed";
  expect((await proposed("2026-11-24", "a")).type).toBe("declined");
  expect((await proposed("2026-11-24", "b")).type).toBe("proposed");
});

test("somebody else's pull request of our branch is nothing to write to", async () => {
  const { proposed, branchOf, forge } = await simulateProposals();
  const { branch } = await branchOf("2026-11-23");
  await forge.ensurePullRequest(
    { head: branch, base: master, title: "Mine", body: "hands off", marker: "hands off" },
    signal,
  );
  await expect(proposed("2026-11-23", "a")).rejects.toMatchObject({ code: "FOREIGN_PULL_REQUEST" });
  expect(forge.pulls).toMatchObject([{ title: "Mine", body: "hands off" }]);
});

/** What a person does that makes a proposal theirs. */
const touches = [
  ["a review", (sim) => void Object.assign(sim.forge.pulls[0] ?? {}, { reviews: 1 })],
  ["the label keep", (sim) => void sim.forge.pulls[0]?.labels.push("keep")],
  [
    "a commit",
    async (sim) => void (await sim.repository.person("flake-update/2026-11-22", { "flake.nix": "" })),
  ],
] as const satisfies readonly (readonly [
  string,
  (sim: Awaited<ReturnType<typeof simulateProposals>>) => unknown,
])[];

test.each(touches)(
  "with %s a proposal is a person's: not rewritten, superseded or closed",
  async (_name, touch) => {
    const sim = await simulateProposals();
    const { proposed, forge, repository, tending, clock } = sim;
    const { branch } = await proposed("2026-11-22", "a");
    await touch(sim);
    const [before, tip] = [{ ...forge.pulls[0] }, repository.tip(branch)];
    expect(await branchesOfPeople(tending, signal)).toEqual(new Set([branch]));
    await supersede(tending, { why: "something" }, signal);
    await clock.advance(30 * dayMs);
    await tendStale(tending, stale, {}, signal);
    expect(forge.pulls[0]).toEqual(before);
    expect(forge.said).toEqual([]);
    expect(repository.tip(branch)).toBe(tip);
  },
);

test("a proposal that nobody acts on is reminded of once, and closed in the end", async () => {
  const { proposed, forge, repository, tending, clock } = await simulateProposals();
  const { branch } = await proposed("2026-11-23", "a");
  const tend = async () => tendStale(tending, stale, {}, signal);
  await clock.advance(7 * dayMs - 1);
  await tend();
  expect(forge.said).toEqual([]);

  await clock.advance(1);
  await tend();
  await tend();
  expect(forge.said.map(({ body }) => body.split("\n")[1])).toEqual([
    "Nobody has acted on this pull request for 7 days.",
  ]);
  expect(forge.pulls).toMatchObject([{ state: "open" }]);
  expect(repository.tip(branch)).toBeDefined();

  await clock.advance(7 * dayMs);
  await tend();
  expect(forge.pulls).toMatchObject([{ state: "closed", body: expect.stringContaining(supersededNote) }]);
  expect(forge.said.at(-1)?.body).toContain(
    "Closed: updates no longer arrive at this result, and nobody has acted on it for 14 days.",
  );
  expect(repository.tip(branch)).toBeUndefined();
  // Our own closing is nobody's no.
  expect((await proposed("2026-12-07", "a")).type).toBe("proposed");
});

test("a proposal that updates still come to stays the one pull request, and says its age", async () => {
  const { proposed, forge, tending, clock } = await simulateProposals();
  for (const [days, age] of [
    [0, undefined],
    [1, "Open for 1 day, since 2026-11-23: updates still arrive at the same result."],
    [29, "Open for 30 days, since 2026-11-23: updates still arrive at the same result."],
  ] as const) {
    await clock.advance(days * dayMs);
    const again = await proposed("2026-11-23", "a");
    await tendStale(tending, stale, again.pullRequest, signal);
    expect(forge.pulls).toMatchObject([{ state: "open" }]);
    expect(forge.pulls[0]?.body.split("\n\n").slice(1, 3)).toEqual(
      age === undefined ? ["**It breaks.**", "why"] : ["**It breaks.**", age],
    );
  }
  expect(forge.said).toHaveLength(1);
  // What is proposed from now on has just begun.
  await proposed("2026-11-23", "b");
  expect(forge.pulls[0]?.body).not.toContain("Open for");
});

test("pull requests that are not ours are left alone, however old they are", async () => {
  const { forge, tending, branchOf, clock } = await simulateProposals();
  const { branch } = await branchOf("2026-11-22");
  const theirs = parseBranchName("fix");
  const both = [
    { head: branch, body: "no marker" },
    { head: theirs, body: markerStart },
  ];
  for (const { head, body } of both) {
    await forge.ensurePullRequest({ head, base: master, title: "", body, marker: body }, signal);
  }
  await clock.advance(100 * dayMs);
  await tendStale(tending, stale, {}, signal);
  await supersede(tending, { why: "something" }, signal);
  expect(forge.pulls.map(({ state }) => state)).toEqual(["open", "open"]);
  expect(forge.said).toEqual([]);
});
