// What the pages of rollouts say is what `homelab-deploy rollouts` says.
import { expect, test } from "vitest";
import { playedStates, playRollout, type PlayedRollout } from "../../../../test/support/played-rollout.ts";
import { createChoices } from "../../../../test/support/random-choices.ts";
import { aRolloutId, rolloutTime } from "../../../../test/support/rollout-events.ts";
import { simulateRollout } from "../../../../test/support/simulated-rollout.ts";
import { renderRollouts } from "../../../cli/print/pages/rollouts-table.ts";
import { adviceOf } from "../../../cli/print/rollout/rollout-renderer.ts";
import { rolloutLines } from "../../../cli/print/rollout/rollout-view.ts";
import { plainStyle } from "../../../cli/print/style.ts";
import { foldRollout, type Rollout } from "../../../protocol/rollout/rollout.ts";
import { htmlOf, type Page } from "../../page/page.ts";
import { emptyPicture, type FleetPicture } from "../../state/fleet-picture.ts";
import type { PageContext } from "../page-context.ts";
import { rolloutPage } from "./rollout-page.ts";
import { openRollouts, rolloutsPage } from "./rollouts-page.ts";

const now = new Date(rolloutTime(700));
const { signal } = new AbortController();
const unused = (): never => {
  throw new Error("a page of rollouts needs only rollouts");
};

function contextOf(rollouts: readonly Rollout[] | undefined, more: Partial<FleetPicture> = {}): PageContext {
  return {
    url: new URL("http://dashboard/rollouts"),
    picture: { ...emptyPicture(now), isComplete: true, isConnected: true, rollouts, ...more },
    fleet: {
      current: unused,
      onChange: unused,
      deployments: unused,
      build: unused,
      rollout: async (id) => rollouts?.find((each) => each.id === id),
    },
    reader: { unused } as never,
    watcher: { unused } as never,
    logs: { unused } as never,
    searches: { run: unused },
    showsLogs: true,
    isNews: false,
    now,
  };
}

const markupOf = ({ sections }: Pick<Page, "sections">): string =>
  sections.map((each) => htmlOf(each).toString()).join("\n");
const plain = (markup: string): string =>
  markup
    .replace(/<[^>]*>/g, " ")
    .replace(/&#39;/g, "'")
    .replace(/&lt;/g, "<")
    .replace(/\s+/g, " ")
    .trim();
const pageOf = async (rollout: Rollout): Promise<Page> =>
  rolloutPage(contextOf([rollout]), rollout.id, signal);

const halt = { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed, and none may", host: "web01" };
const rolledBack = { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" };
const played: readonly (readonly [string, () => PlayedRollout])[] = [
  ["is asked for", () => playRollout({}, { isPlanned: false })],
  ["is planned", () => playRollout()],
  ["deploys its canary", () => playRollout().add(2, { type: "wave-started", wave: 0 }).orders(2, "testvm01")],
  [
    "soaks",
    () =>
      playRollout()
        .orders(2, "testvm01")
        .ends(9, "testvm01")
        .add(9, { type: "soaking", wave: 0, until: rolloutTime(900) }),
  ],
  [
    "has soaked",
    () => playRollout().canary().add(644, { type: "wave-started", wave: 1 }).orders(645, "web01"),
  ],
  [
    "is halted",
    () => playRollout().canary().orders(645, "web01").ends(660, "web01", rolledBack).add(661, halt),
  ],
  ["is paused", () => playRollout().canary().add(650, { type: "paused", by: "mia", reason: "lunch" })],
  ["waits before a wave", () => playRollout().canary().add(650, { type: "paused", by: "deployer", wave: 1 })],
  ["is aborted", () => playRollout().canary().orders(645, "web01").add(650, { type: "aborted", by: "mia" })],
  [
    "is completed",
    () => playRollout().canary().add(690, { type: "finished", outcome: "completed-with-absent" }),
  ],
  [
    "failed",
    () =>
      playRollout()
        .orders(3, "testvm01")
        .ends(9, "testvm01", rolledBack)
        .add(9, { type: "finished", outcome: "failed" }),
  ],
  [
    "was superseded",
    () => playRollout({}, { isPlanned: false }).add(9, { type: "finished", outcome: "superseded" }),
  ],
];

/** Its page, its line in the list, and what the command line says about it. */
async function expectSameWords(rollout: Rollout): Promise<void> {
  const page = await pageOf(rollout);
  const markup = markupOf(page);
  const lines = rolloutLines(rollout, { style: plainStyle, now, states: new Map() });
  const lead = plain(/<p class="lead">(?<said>.*?)<\/p>/s.exec(markup)?.groups?.["said"] ?? "");
  expect(lead).not.toBe("");
  expect(lines.at(-1)).toContain(` ${lead} `);

  for (const { host } of rollout.hosts.values()) {
    const [card = ""] = new RegExp(`(?<=data-key="wave-host:${host}">).*?(?=</li>)`, "s").exec(markup) ?? [];
    const words = plain(card.split("</svg>")[1]?.split("</span>")[0] ?? "");
    const note = plain(/(?<=<div class="dim note">).*?(?=<\/div>)/s.exec(card)?.[0] ?? "");
    const line = lines.find((each) => each.includes(` ${host} `)) ?? "";
    expect(words).not.toBe("");
    expect(line).toContain(words);
    expect(line).toContain(note);
  }

  const list = markupOf(rolloutsPage(contextOf([rollout])));
  const line = renderRollouts([rollout], { style: plainStyle, now, ids: [] });
  expect(plain(list)).toContain(lead);
  expect(line).toContain(lead);

  // Each command that the command line advises, one by one.
  const [, actions] = /rollouts (?<actions>\S+) /.exec(adviceOf(rollout) ?? "") ?? [];
  const copied = [...markup.matchAll(/data-copy="(?<text>[^"]*)"/g)].map(({ groups }) => groups?.["text"]);
  expect(copied).toEqual([
    ...(actions?.split("|") ?? []).map((action) => `homelab-deploy rollouts ${action} ${rollout.id}`),
    `homelab-deploy rollouts show ${rollout.id}`,
  ]);
}

test.each(played)("a rollout that %s reads as `rollouts show` and `list` have it", async (_, play) => {
  await expect(expectSameWords(play().rollout())).resolves.toBeUndefined();
});

test("so does each of 200 random ones, at any moment of it", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const choices = createChoices(seed);
    const { events } = simulateRollout(choices);
    const rollout = foldRollout(events.slice(0, choices.count(1, events.length)));
    if (rollout === undefined) throw new Error(`seed ${seed} made no rollout`);
    await expect(expectSameWords(rollout)).resolves.toBeUndefined();
  }
});

test("a halted rollout says why, and which host, on its own page, on Fleet and in the title of the list", async () => {
  const rollout = playRollout()
    .canary()
    .orders(645, "web01")
    .ends(660, "web01", rolledBack)
    .add(661, halt)
    .rollout();
  const markup = markupOf(await pageOf(rollout));
  expect(plain(markup)).toContain(
    "because more hosts failed than allowed: 1 host failed, and none may HOSTS_FAILED",
  );
  expect(markup).toContain('href="/hosts/servers/web01"');
  expect(plain(markup)).toContain("runs 4be10a9 as before");
  const context = contextOf([rollout]);
  expect(rolloutsPage(context).title).toBe("✗ 1 halted · Rollouts");
  const fleet = plain(markupOf({ sections: openRollouts(context.picture, now) }));
  expect(fleet).toContain("halted: 1 host failed, and none may");
  expect(fleet).toContain("1 of 5 hosts done, 1 failed");
});

test("a wave is green only where every host runs it", async () => {
  const tones = async (rollout: Rollout): Promise<readonly (string | undefined)[]> =>
    [...markupOf(await pageOf(rollout)).matchAll(/<h3 id="wave-\d"><svg class="icon (?<tone>\w+)"/g)].map(
      ({ groups }) => groups?.["tone"],
    );
  const running = playRollout()
    .canary()
    .add(644, { type: "wave-started", wave: 1 })
    .orders(645, "web01", "web02");
  expect(await tones(running.rollout())).toEqual(["good", "busy", "idle"]);
  running.ends(650, "web01").ends(651, "web02");
  // The laptop is absent.
  expect(await tones(running.rollout())).toEqual(["good", "warn", "idle"]);
  const bad = playRollout().orders(3, "testvm01").ends(9, "testvm01", rolledBack);
  expect(await tones(bad.rollout())).toEqual(["bad", "idle", "idle"]);
});

test("Host names the rollout that it is part of, and no other", () => {
  const { picture } = contextOf([playRollout().canary().rollout()]);
  const ofHost = (repo: string, host: string): number =>
    openRollouts(picture, now, { repo, host } as never).length;
  expect([ofHost("servers", "gitea"), ofHost("servers", "nas"), ofHost("laptops", "gitea")]).toEqual([
    1, 0, 0,
  ]);
  const over = playRollout().add(9, { type: "finished", outcome: "aborted" }).rollout();
  expect(openRollouts(contextOf([over]).picture, now)).toEqual([]);
});

test("what hosts say of themselves is said", async () => {
  const rollout = playRollout().orders(2, "testvm01").rollout();
  const [state] = playedStates(3, { testvm01: {} }).values();
  const running = [{ repo: "servers", host: "testvm01", state }] as never;
  const page = await rolloutPage(contextOf([rollout], { running }), rollout.id, signal);
  expect(plain(markupOf(page))).toContain("deploying testvm01; testvm01 does not answer");
});

test("none is said only once they were read", () => {
  expect(markupOf(rolloutsPage(contextOf(undefined)))).toContain("Reading the rollouts");
  expect(markupOf(rolloutsPage(contextOf([])))).toContain("homelab-deploy deploy --all");
});

test.each(["01", "../secret", aRolloutId(9)])("%s is no rollout", async (id) => {
  await expect(rolloutPage(contextOf([]), id, signal)).rejects.toMatchObject({ code: "UNKNOWN_ROLLOUT" });
});

test("text from outside stays text", async () => {
  const rollout = playRollout({ by: "<b>kai", reason: "<script>" })
    .add(3, { type: "paused", by: "<i>mia" })
    .rollout();
  const markup = `${markupOf(await pageOf(rollout))}${markupOf(rolloutsPage(contextOf([rollout])))}`;
  expect(markup).not.toMatch(/<b>kai|<script|<i>mia/);
});
