// The daemon of a pretended host: the listener and what deploys, as on a real one, in a single process without any rights.
//   node main.ts DIRECTORY SYSTEM NATS-URL CACHE-URL
// SYSTEM is what somebody has installed on it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { systemClock as clock } from "../../../src/base/clock.ts";
import { createDaemonLog } from "../../../src/cli/session/daemon-log.ts";
import { CacheSettings } from "../../../src/config/cache-schema.ts";
import { answerActivator, type ActivationUnit } from "../../../src/deploy/answer-activator.ts";
import { memoryOf, type HostMemory } from "../../../src/deploy/host-memory.ts";
import { openJournal, readJournal } from "../../../src/deploy/journal-file.ts";
import type { Journal, JournalEntry } from "../../../src/deploy/journal.ts";
import { createMailbox } from "../../../src/deploy/mailbox-files.ts";
import { runDeployments } from "../../../src/deploy/run-deployments.ts";
import { createClosureFetcher } from "../../../src/host/create-closure-fetcher.ts";
import { createProbe } from "../../../src/host/create-probe.ts";
import { createHostPrograms } from "../../../src/host/host-programs.ts";
import { nixEnvironment, prepareNixDirectory } from "../../../src/nix/nix-environment.ts";
import { readNixSettings } from "../../../src/nix/settings/nix-settings.ts";
import { createExec } from "../../../src/process/create-exec.ts";
import { hostPolicyFile } from "../../../src/protocol/deploy/host-policy.ts";
import { StorePath } from "../../../src/protocol/names.ts";
import { openCacheClient } from "../../../src/wiring/compose-cache.ts";
import { readPolicy } from "../../../src/wiring/deploy/read-policy.ts";
import { runListenerDaemon } from "../../../src/wiring/listener/run-listener.ts";
import { listenForInterruption } from "../../support/interruption.ts";
import { createPretendedSystem, directoryVariable, installSystem } from "./pretended-system.ts";

const Arguments = v.tuple([v.string(), StorePath, v.string(), v.string()]);
const [directory, installed, natsUrl, cacheUrl] = v.parse(Arguments, process.argv.slice(2));
const { signal } = listenForInterruption();
const log = createDaemonLog(process.stdout, false);
const exec = createExec(clock);
const at = (name: string): string => join(directory, name);
const [journalDirectory, nixDirectory] = [at("state"), at("nix")];
for (const each of [journalDirectory, at("mail")]) await mkdir(each, { recursive: true });
await prepareNixDirectory(nixDirectory);
const environment = nixEnvironment(process.env, nixDirectory);

let outputName = "installed";
const system = createPretendedSystem({
  exec,
  environment,
  clock,
  directory,
  outputFile: () => join(journalDirectory, `${outputName}.log`),
});
await installSystem(system, directory, installed, signal);

const policyFile = at(join("run/current-system", hostPolicyFile));
const mailbox = createMailbox(at("mail"), clock);
const { stateDirectory, storeDirectory } = await readNixSettings(exec, environment, signal);
const fetcher = createClosureFetcher({
  exec,
  environment,
  clock,
  caches: [await openCacheClient(v.parse(CacheSettings, {}), cacheUrl, { clock, environment }, signal)],
  storeDirectory,
  rootsDirectory: join(stateDirectory, "gcroots/pretended-host"),
});
const probe = createProbe(createHostPrograms(exec, { ...environment, [directoryVariable]: directory }));

async function open(): Promise<Journal & AsyncDisposable> {
  const { repo, host } = await readPolicy(policyFile);
  const { bootId } = await system.readPaths(signal);
  return openJournal({ directory: journalDirectory, repo, host, bootId, clock });
}

async function readMemory(): Promise<HostMemory | undefined> {
  const content = await readJournal(journalDirectory);
  return content && memoryOf(content.head, content.lines);
}

async function deploy(): Promise<void> {
  await using journal = await open();
  const named: Journal = {
    ...journal,
    async append(entry: JournalEntry) {
      const line = await journal.append(entry);
      if (line.event.order !== undefined) outputName = line.event.order;
      return line;
    },
  };
  const policy = await readPolicy(policyFile);
  await runDeployments({ journal: named, system, fetcher, mailbox, probe, clock, policy }, signal);
}

/** On a real host a unit of systemd, whose name is the lock. */
let deploying: Promise<void> | undefined;
const unit: ActivationUnit = {
  async start() {
    if (deploying !== undefined) return false;
    deploying = deploy()
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, "the deployment was interrupted");
      })
      .finally(() => (deploying = undefined));
    return true;
  },
  isActive: async () => deploying !== undefined,
};

if ((await readMemory()) === undefined) await (await open())[Symbol.asyncDispose]();
await runListenerDaemon(
  {
    settings: { policyFile, stateDirectory: at("listener"), journalDirectory, socket: "", metrics: {} },
    readTarget: async () => ({ servers: [natsUrl] }),
    system,
    activator: {
      ask: async (request, until) =>
        answerActivator({ mailbox, unit, system, readMemory, clock, peer: process.pid }, request, until),
    },
    clock,
    environment,
    log,
  },
  signal,
).catch((error: unknown) => {
  if (!signal.aborted) throw error;
});
await deploying;
