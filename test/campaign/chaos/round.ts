// One round: a build, its rollout, what comes in between, people who help it to its end, and the judgement.
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { Commit } from "../../../src/protocol/names.ts";
import type { RolloutId } from "../../../src/protocol/rollout/rollout-events.ts";
import { looping } from "../../support/lab/chain/chain-lab.ts";
import { branch, memberNames, members, repo, type Member } from "../../support/lab/chain/members.ts";
import type { FleetLab } from "../../support/lab/chain/fleet-lab.ts";
import { daemon } from "../../support/lab/fake-systems.ts";
import { openNetwork } from "../../support/lab/deploy-lab.ts";
import type { Fault } from "../judge-build.ts";
import { attendTo, readShown } from "./attend.ts";
import { disturbAll } from "./disturb.ts";
import type { GateServer } from "./gate-server.ts";
import { judgeHands } from "./judge-hands.ts";
import { expectedPath, judgeRound } from "./judge-round.ts";
import { createPerson } from "./person.ts";
import type { Manner, RoundPlan } from "./plan-round.ts";
import { countEvents, judgeHost, readHostAtRest } from "./read-hosts.ts";

export interface RoundParts {
  readonly lab: FleetLab;
  readonly gate: GateServer;
  readonly kernels: Kernels;
  readonly say: (line: string) => void;
}

/** Which kernel each host has by now. */
export interface Kernels {
  take(host: Member, isNew: boolean): string;
}

export function createKernels(): Kernels {
  const numbers = new Map<Member, number>();
  return {
    take(host, isNew) {
      const number = (numbers.get(host) ?? 12) + (isNew ? 1 : 0);
      numbers.set(host, number);
      return `6.${number}`;
    },
  };
}

export interface RoundResult {
  readonly faults: readonly Fault[];
  readonly outcomes: readonly string[];
  readonly commit: Commit;
}

export const versionOf = (round: number): string =>
  `26.05.${new Date(Date.UTC(2026, 10, 1 + round)).toISOString().slice(0, 10).replaceAll("-", "")}.aaaaaaa`;

const webs: Readonly<Record<Manner, (round: number) => string>> = {
  good: (round) => daemon(`${round}`),
  slow: (round) => daemon(`${round}`),
  looping: () => looping,
  kernel: (round) => daemon(`${round}`),
};

export async function runRound(
  { lab, gate, kernels, say }: RoundParts,
  name: string,
  round: number,
  plan: RoundPlan,
  before: Commit | undefined,
): Promise<RoundResult> {
  const commit = v.parse(Commit, createHash("sha1").update(`${name} ${round}`).digest("hex"));
  const faults: Fault[] = [];
  const wrong = (what: string): void => void faults.push({ kind: "wrong", build: name, what });
  await lab.deployer.kill();
  await lab.deployer.configure({ [repo]: { branch, ...plan.rules } });
  const changeOf = (host: Member) => ({
    version: versionOf(round),
    // A kernel that stays is no reason to boot.
    kernel: kernels.take(host, plan.manners[host] === "kernel"),
    web: webs[plan.manners[host]](round),
    hooks: {
      afterActivate: plan.manners[host] === "slow" ? `${openNetwork}\nsleep 4` : openNetwork,
    },
  });
  const changes = Object.fromEntries(memberNames.map((host) => [host, changeOf(host)]));
  const systems = await lab.make(changes as Record<Member, ReturnType<typeof changeOf>>);
  const counts = await countEvents(lab);
  const runsOf = async (host: Member): Promise<[string, string | undefined]> => {
    const { running } = await lab.host(host).runs();
    return [host, running];
  };
  const ran = Object.fromEntries(await Promise.all(memberNames.map(runsOf)));
  const old = new Set<RolloutId>(await lab.rollouts.rolloutIds(AbortSignal.timeout(60_000)));
  const person = createPerson(lab);

  const starts = lab.deployer.log().split("hosts obey this deployer").length;
  lab.deployer.start();
  while (lab.deployer.log().split("hosts obey this deployer").length <= starts) await sleep(100);
  await lab.tell(commit, systems);
  if (!plan.rules.automatic) {
    const more = plan.reboots ? ["--reboot"] : [];
    const asked = ["deploy", "--all", "--yes", "--detach", "--reason", "chaos", ...more];
    const started = await person.command(...asked);
    if (started.exitCode !== 0) wrong(`deploy --all: exit ${String(started.exitCode)}: ${started.stderr}`);
  }
  const broken = new AbortController();
  const attended = attendTo({ lab, person, plan, old, say, signal: broken.signal });
  const over = attended.allEnded;
  try {
    await disturbAll({ lab, gate, person, before, over, say }, plan.disturbances);
  } catch (error) {
    broken.abort();
    throw error;
  }
  say("calm");
  const { rollouts: ends, problems } = await attended.calm();
  for (const { kind, what } of problems) faults.push({ kind, build: name, what });

  const hosts = await Promise.all(
    memberNames.map(async (host) => readHostAtRest(lab, host, counts.get(host) ?? 0)),
  );
  const journals = Object.fromEntries(memberNames.map((host, index) => [host, hosts[index]?.events ?? []]));
  for (const [index, host] of memberNames.entries()) {
    const facts = hosts[index];
    if (facts === undefined) continue;
    for (const what of judgeHost(host, facts)) wrong(what);
    const expected = expectedPath(ran[host], facts.events);
    if (facts.runs.running !== expected) wrong(`${host} runs ${facts.runs.running}, and should ${expected}`);
  }
  const rollouts = await Promise.all(ends.map(async (rollout) => readShown(lab, rollout.id)));
  const roleOf = (host: Member): [string, string | undefined] => {
    const of = members[host];
    return [host, "role" in of ? of.role : undefined];
  };
  const roles = Object.fromEntries(memberNames.map(roleOf));
  const { holds, hands } = person;
  for (const what of judgeRound({ rollouts, before: ran, journals, roles, holds })) wrong(what);
  for (const what of judgeHands(hands, journals)) wrong(what);
  for (const what of person.complaints) wrong(what);
  for (const what of await judgeListed(lab)) wrong(what);
  if (lab.deployer.hasEnded()) wrong(`the deployer has ended: ${lab.deployer.log().slice(-1000)}`);
  return { faults, outcomes: ends.map(({ end }) => end?.outcome ?? "none"), commit };
}

const Listed = v.looseObject({
  running: v.array(
    v.looseObject({
      host: v.string(),
      state: v.optional(v.looseObject({ running: v.looseObject({ path: v.nullable(v.string()) }) })),
    }),
  ),
});

/** `hosts` says what truly runs. */
async function judgeListed(lab: FleetLab): Promise<readonly string[]> {
  const { stdout, exitCode } = await lab.run("hosts", "--json");
  if (exitCode !== 0) return [`hosts: exit ${String(exitCode)}`];
  const { running } = v.parse(Listed, JSON.parse(stdout));
  const faults: string[] = [];
  for (const name of memberNames) {
    const said = running.find(({ host }) => host === name)?.state?.running.path;
    const { running: truth } = await lab.host(name).runs();
    if (said !== truth) faults.push(`hosts says that ${name} runs ${said}, and it runs ${truth}`);
  }
  return faults;
}
