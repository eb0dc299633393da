// A home lab under fire: real nats-server, two builders, real Nix and git. Builds are asked for, twice, cancelled and
// followed; updates run; and everything is killed (SIGKILL) at random. Afterwards every build must have ended as it
// would have without, and master must hold nothing that does not build.
import { setTimeout as sleep } from "node:timers/promises";
import { createReader } from "../../src/bus/create-reader.ts";
import type { BuildReader } from "../../src/bus/bus.ts";
import { isTerminal, type BuildEvent } from "../../src/protocol/events.ts";
import { parseHostName, parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { HostVerdict } from "../../src/protocol/verdicts.ts";
import { startHomelab, type Homelab } from "../support/start-homelab.ts";
import { createUpdateLab } from "../support/update-lab.ts";
import { judgeBuild, wasGivenUp, type Fault } from "./judge-build.ts";
import { createRandom } from "./random.ts";
import { createUpdates } from "./updates.ts";

export interface CampaignOptions {
  readonly seed: number;
  readonly kills: number;
  readonly builds: number;
  readonly updates: number;
  /** How long after the last kill everything must be over: milliseconds. */
  readonly settleMs: number;
  readonly say: (line: string) => void;
}

export interface CampaignResult {
  readonly kills: { readonly builder: number; readonly "nats-server": number; readonly update: number };
  readonly builds: {
    readonly asked: number;
    readonly twice: number;
    readonly cancelled: number;
    readonly followed: number;
    /** Of builds whose builder was killed right after it resumed them, three times. */
    readonly givenUp: number;
  };
  readonly updates: { readonly runs: number; readonly landed: number };
  readonly faults: readonly Fault[];
}

/** What the sample fleet's hosts come to, whatever is killed meanwhile. */
const verdicts: Readonly<Record<string, HostVerdict>> = {
  host01: "built",
  host02: "build-failed",
  host03: "eval-failed",
  host04: "built",
};
const hosts = Object.keys(verdicts);
const fleet = parseRepoName("fleet");
/** So many builds ask for the same commit. */
const buildsPerCommit = 8;

interface Asked {
  readonly id: BuildId;
  wasCancelled: boolean;
  published: readonly BuildEvent[];
}

export async function runCampaign({
  seed,
  kills,
  builds,
  updates,
  settleMs,
  say,
}: CampaignOptions): Promise<CampaignResult> {
  await using homelab = await startHomelab();
  await using lab = await createUpdateLab(["host01", "host02"]);
  const random = createRandom(seed);
  const never = new AbortController().signal;
  const places = {
    repos: {
      fleet: { url: homelab.fleet.url, branch: "main", pollSeconds: 0 },
      lab: { url: lab.url, branch: "master", pollSeconds: 0 },
    },
  };
  const start = async (user: "builder1" | "builder2") =>
    homelab.startBuilder(user, { retry: { attempts: 5, firstDelaySeconds: 1 } }, places);
  await commitFleet(homelab, seed, 0);
  const updating = createUpdates({ homelab, lab, random });
  const running = { builder1: await start("builder1"), builder2: await start("builder2") };
  await using connection = await homelab.server.connect("operator", { role: "daemon" });
  const reader = createReader(connection);

  const asked: Asked[] = [];
  const faults: Fault[] = [];
  const counts = { builder: 0, "nats-server": 0, twice: 0, followed: 0 };
  const clients: Promise<void>[] = [];
  const over = new AbortController();

  /** Asks for builds as long as there are some to ask for, in step with the kills. */
  async function askAll(): Promise<void> {
    for (let count = 0; count < builds; count++) {
      // Spread over the kills, and never ahead of them: what is asked for while nothing dies proves nothing.
      while (!over.signal.aborted && count * kills > (counts.builder + counts["nats-server"] + 2) * builds)
        await sleep(100);
      if (count % buildsPerCommit === buildsPerCommit - 1) await commitFleet(homelab, seed, count);
      await ask();
    }
  }

  async function ask(): Promise<void> {
    const build: Asked = { id: newBuildId(new Date()), wasCancelled: false, published: [] };
    const host = random() < 0.5 ? "all" : pick(hosts, random);
    const target = { repo: fleet, host: host === "all" ? host : parseHostName(host) } as const;
    const submit = async (): Promise<void> =>
      reader.submit(target, { id: build.id, priority: random() < 0.5 ? "batch" : "interactive" }, never);
    const fate = random();
    await submit();
    asked.push(build);
    if (fate < 0.15) {
      counts.twice++;
      await submit();
      if (fate < 0.05) clients.push(sleep(random() * 20_000).then(submit));
    } else if (fate < 0.25) {
      build.wasCancelled = true;
      clients.push(
        sleep(random() * 3000).then(async () => reader.control(build.id, { action: "cancel" }, never)),
      );
    } else if (fate < 0.35) {
      counts.followed++;
      clients.push(followByCommand(host));
    }
  }

  /** A person's command, which starts and follows a build of its own: what it exits with is what it says. */
  async function followByCommand(host: string): Promise<void> {
    const { exitCode, stdout } = await homelab.run([
      "build",
      ...(host === "all" ? ["--all"] : [host]),
      "--repo",
      "fleet",
      "--json",
    ]);
    const right = host === "all" || verdicts[host] !== "built" ? 1 : 0;
    // 3: NATS was away for longer than a command waits. That is honest: it is no verdict.
    if (exitCode !== right && exitCode !== 3) {
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      faults.push({
        kind: "wrong",
        build: host,
        what: `the command exits with ${exitCode}, and should with ${right}: ${last.slice(0, 300)}`,
      });
    }
  }

  async function kill(): Promise<void> {
    await sleep(random() * 1500);
    await notePublished(reader, asked, never);
    if (random() < 0.65) {
      const user = random() < 0.5 ? "builder1" : "builder2";
      running[user].signal("SIGKILL");
      await running[user].ended;
      counts.builder++;
      await sleep(random() * 500);
      running[user] = await start(user);
    } else {
      await homelab.server.kill();
      counts["nats-server"]++;
      await sleep(random() * 500);
      await homelab.server.start();
    }
  }

  const asking = askAll();
  const updated = updating.run(updates);
  for (let count = 1; count <= kills; count++) {
    await kill();
    if (count % 10 === 0)
      say(`${count} of ${kills} kills, ${asked.length} builds asked for, ${updating.runs()} updates`);
  }
  over.abort();
  await Promise.all([asking, updated]);
  await Promise.all(clients);
  say("no more is killed; waiting for all to be over");
  await settled(reader, asked, settleMs, never);

  let givenUp = 0;
  for (const build of asked) {
    const expectation = { ...build, verdictOf: (host: string) => verdicts[host] ?? "built" };
    const events = await reader.readEvents(build.id, 0, never);
    if (wasGivenUp(events)) givenUp++;
    faults.push(...judgeBuild(expectation, events));
  }
  const queued = await reader.queueLength(never);
  if (queued > 0) faults.push({ kind: "endless", build: "-", what: `${queued} requests are still queued` });
  faults.push(...(await updating.judge()));
  return {
    kills: { builder: counts.builder, "nats-server": counts["nats-server"], update: updating.kills() },
    builds: {
      asked: asked.length,
      twice: counts.twice,
      cancelled: asked.filter((build) => build.wasCancelled).length,
      followed: counts.followed,
      givenUp,
    },
    updates: { runs: updating.runs(), landed: await updating.landed() },
    faults,
  };
}

async function commitFleet(homelab: Homelab, seed: number, count: number): Promise<void> {
  await homelab.fleet.commit({
    hosts: hosts.length,
    salt: `campaign-${seed}-${count}`,
    perHostSeconds: 1,
    buildFail: { host02: "exit1" },
    evalFail: { host03: "throw" },
  });
}

const pick = <Item>(items: readonly Item[], random: () => number): Item => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("there is nothing to choose from");
  return item;
};

/** Of some that are not over: what is there now must be there at the end. */
async function notePublished(
  reader: BuildReader,
  asked: readonly Asked[],
  signal: AbortSignal,
): Promise<void> {
  for (const build of asked.slice(-10)) build.published = await reader.readEvents(build.id, 0, signal);
}

/** Until all are over and nothing is queued, or nothing has moved for so long. */
async function settled(
  reader: BuildReader,
  asked: readonly Asked[],
  settleMs: number,
  signal: AbortSignal,
): Promise<void> {
  let open = [...asked];
  let before = "";
  let deadline = Date.now() + settleMs;
  // A request whose acknowledgement died with the server is given out once more, after a minute.
  while ((open.length > 0 || (await reader.queueLength(signal)) > 0) && Date.now() < deadline) {
    await sleep(1000);
    const lasts = await Promise.all(open.map(async ({ id }) => reader.lastEvent(id, signal)));
    open = open.filter((_, place) => {
      const last = lasts[place];
      return last === undefined || !isTerminal(last);
    });
    const now = JSON.stringify(lasts.map((last) => [last?.build, last?.index]));
    if (now !== before) deadline = Date.now() + settleMs;
    before = now;
  }
}
