// Carries out what a round has planned, and mends it again.
import { setTimeout as sleep } from "node:timers/promises";
import type { Commit } from "../../../src/protocol/names.ts";
import { memberNames } from "../../support/lab/chain/members.ts";
import type { FleetLab } from "../../support/lab/chain/fleet-lab.ts";
import { journalEnd, lineBehind } from "../../support/lab/lab-journal.ts";
import type { GateServer } from "./gate-server.ts";
import type { Person } from "./person.ts";
import { describeDisturbance, killedUnits, type Disturbance } from "./plan-round.ts";

export interface DisturbedParts {
  readonly lab: FleetLab;
  readonly gate: GateServer;
  readonly person: Person;
  /** The commit before this round's. */
  readonly before: Commit | undefined;
  /** From then on no turning point is waited for. */
  readonly over: AbortSignal;
  readonly say: (line: string) => void;
}

/** A turning point that does not come is not waited for any longer. */
const turningMs = 75_000;

/** Each at its moment. Resolves when all is as it was: links up, hosts running, servers there, nobody held. */
export async function disturbAll(parts: DisturbedParts, disturbances: readonly Disturbance[]): Promise<void> {
  const { lab } = parts;
  const ends = new Map<string, number>();
  for (const name of memberNames) ends.set(name, await journalEnd(lab.host(name)).catch(() => 0));
  /** One thing after the other happens to one host, to a server, and so on. */
  const queues = new Map<string, Promise<void>>();
  const inTurn = async (of: string, act: () => Promise<void>): Promise<void> => {
    const turn = (queues.get(of) ?? Promise.resolve()).then(act);
    queues.set(of, turn);
    return turn;
  };
  await Promise.all(
    disturbances.map(async (disturbance) => {
      const { when } = disturbance;
      if ("afterMs" in when) await sleep(when.afterMs);
      else {
        const over = AbortSignal.any([parts.over, AbortSignal.timeout(turningMs)]);
        await lineBehind(lab.host(when.host), ends.get(when.host) ?? 0, when.event, over).catch(() => {});
      }
      const of = "host" in disturbance && disturbance.type !== "hand" ? disturbance.host : disturbance.type;
      await inTurn(of, async () => {
        parts.say(describeDisturbance(disturbance));
        await disturb(parts, disturbance);
      });
    }),
  );
}

const unlessOff = (error: unknown): void => {
  if (!String(error).includes("Cannot find device")) throw error;
};

async function disturb({ lab, gate, person, before }: DisturbedParts, what: Disturbance): Promise<void> {
  switch (what.type) {
    case "link":
      // While it reboots there is no link, and afterwards a new one.
      await lab.host(what.host).cut().catch(unlessOff);
      await sleep(what.forMs);
      return lab.host(what.host).mend().catch(unlessOff);
    case "power":
      await lab.host(what.host).powerCut();
      await sleep(what.forMs);
      return lab.host(what.host).boot();
    case "kill":
      return lab.host(what.host).killUnit(killedUnits[what.unit]);
    case "nats":
      await lab.server.kill();
      await sleep(Math.min(what.forMs, 20_000));
      return lab.server.start();
    case "deployer":
      await lab.deployer.kill();
      await sleep(Math.min(what.forMs, 20_000));
      return lab.deployer.start();
    case "gate":
      gate.mode = what.mode;
      await sleep(what.forMs);
      gate.mode = "good";
      return;
    case "hold":
      return person.hold(what.host, Math.min(what.forMs, 20_000));
    case "pause": {
      const { exitCode } = await person.command("rollouts", "pause", "--reason", "chaos");
      if (exitCode !== 0) return;
      await sleep(Math.min(what.forMs, 20_000));
      await person.command("rollouts", "resume");
      return;
    }
    case "abort":
      await person.command("rollouts", "abort", "--reason", "chaos");
      return;
    case "hand":
      if (what.kind === "back") return person.deploy(what.host, "rollback");
      if (what.kind === "again" || before === undefined) return person.deploy(what.host, "deploy");
      return person.deploy(what.host, "deploy", "--commit", before, "--allow-downgrade");
  }
}
