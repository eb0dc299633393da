// What people do in a round, with the command line, and what it told them.
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandResult } from "../../support/lab/deploy-lab.ts";
import type { FleetLab } from "../../support/lab/chain/fleet-lab.ts";
import type { Member } from "../../support/lab/chain/members.ts";

export interface Hold {
  readonly host: Member;
  /** When the command said that it is held. */
  readonly from: number;
  /** When somebody began to release it. */
  until?: number;
}

export interface HandDeploy {
  readonly host: Member;
  readonly from: number;
  readonly to: number;
  readonly exitCode: unknown;
  readonly said: string;
}

export interface Person {
  readonly holds: readonly Hold[];
  readonly hands: readonly HandDeploy[];
  /** Commands that ended in a way in which none may. */
  readonly complaints: readonly string[];
  /** Once more while NATS or the deployer is away. */
  command(...args: readonly string[]): Promise<CommandResult>;
  hold(host: Member, forMs: number): Promise<void>;
  /** Waits for the end of it. */
  deploy(host: Member, ...args: readonly string[]): Promise<void>;
}

/** Success, failure, unavailable and refused; 2 is a command that is wrong. */
const honest: readonly unknown[] = [0, 1, 3, 4];
const patienceMs = 180_000;

export function createPerson(lab: Pick<FleetLab, "run">): Person {
  const holds: Hold[] = [];
  const hands: HandDeploy[] = [];
  const complaints: string[] = [];

  async function run(args: readonly string[], also: readonly unknown[] = []): Promise<CommandResult> {
    const result = await lab.run(...args);
    const { exitCode, stderr } = result;
    const isTrace = /\n {4}at .*\(/.test(stderr) || stderr.includes("This is a bug");
    if (![...honest, ...also].includes(exitCode) || isTrace) {
      complaints.push(`${args.join(" ")}: exit ${String(exitCode)}: ${stderr.slice(-500)}`);
    }
    return result;
  }

  const person: Person = {
    holds,
    hands,
    complaints,
    async command(...args) {
      const until = performance.now() + patienceMs;
      for (;;) {
        // "No rollout runs" is exit 2, and may be so by then.
        const result = await run(args, [2]);
        if (result.exitCode !== 3 || performance.now() > until) return result;
        await sleep(1000);
      }
    },
    async hold(host, forMs) {
      const held = await person.command("hosts", "hold", host, "--reason", "chaos");
      if (held.exitCode !== 0) return;
      const hold: Hold = { host, from: Date.now() };
      holds.push(hold);
      await sleep(forMs);
      hold.until = Date.now();
      await person.command("hosts", "release", host);
    },
    async deploy(host, ...args) {
      const from = Date.now();
      const { exitCode, stdout, stderr } = await run(
        [...args, host, "--json", "--timeout", "4m"],
        [2, 5, 124],
      );
      hands.push({ host, from, to: Date.now(), exitCode, said: stdout + stderr });
    },
  };
  return person;
}
