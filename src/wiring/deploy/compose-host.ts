// Puts together what deploys on a host, from what the host has at its places: the policy of the system that runs, the
// journal, the mailbox, and the machine itself.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { ActivationUnit } from "../../deploy/answer-activator.ts";
import { memoryOf, type HostMemory } from "../../deploy/host-memory.ts";
import { openJournal, readJournal } from "../../deploy/journal-file.ts";
import type { Journal } from "../../deploy/journal.ts";
import { createMailbox } from "../../deploy/mailbox-files.ts";
import type { Mailbox, MailboxWriter } from "../../deploy/mailbox.ts";
import type { ClosureFetcher } from "../../host/closure-fetcher.ts";
import { createSystem } from "../../host/create-system.ts";
import { createHostPrograms } from "../../host/host-programs.ts";
import { machineRoots, type HostRoots } from "../../host/host-roots.ts";
import type { System } from "../../host/system.ts";
import { createActivationUnit } from "../../host/systemd/activation-unit.ts";
import { nixEnvironment, prepareNixDirectory } from "../../nix/nix-environment.ts";
import { createExec } from "../../process/create-exec.ts";
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import { useNetworkOf } from "../own-network.ts";
import { readPolicy } from "./read-policy.ts";

/** Where a host keeps what belongs to deploying. */
export interface HostPlaces {
  readonly policyFile: string;
  /** The journal, and what activations printed. */
  readonly stateDirectory: string;
  /** Emptied by each boot. */
  readonly mailDirectory: string;
  readonly roots: HostRoots;
}

export const machinePlaces: HostPlaces = {
  policyFile: "/etc/homelab-deploy/host.json",
  stateDirectory: "/var/lib/homelab-deploy-host",
  mailDirectory: "/run/homelab-deploy/mail",
  roots: machineRoots,
};

export interface ComposedHost {
  readonly stateDirectory: string;
  readonly policy: HostPolicy;
  readonly system: System;
  readonly mailbox: Mailbox & MailboxWriter;
  readonly unit: ActivationUnit;
  /** The current state of the journal; undefined on a host that never deployed. */
  readonly readMemory: () => Promise<HostMemory | undefined>;
  /** Begins a journal where there is none: orders that are issued from then on are for this host. */
  readonly beginJournal: () => Promise<void>;
  /** Deploys until nothing is left to do. Only the activation unit may call it: its name is the lock. */
  readonly deploy: (signal: AbortSignal) => Promise<HostMemory>;
}

export interface ComposeHostOptions {
  readonly clock: Clock;
  readonly environment: Environment;
  readonly places: HostPlaces;
  /** This program, with what Node needs to run it. */
  readonly program: readonly string[];
}

export async function composeHost({
  clock,
  environment: outer,
  places,
  program,
}: ComposeHostOptions): Promise<ComposedHost> {
  const { stateDirectory, roots } = places;
  const policy = await readPolicy(places.policyFile);
  const exec = createExec(clock);
  const nixDirectory = join(stateDirectory, "nix");
  await prepareNixDirectory(nixDirectory);
  const environment = nixEnvironment(outer, nixDirectory);
  const programs = createHostPrograms(exec, environment);
  const mailbox = createMailbox(places.mailDirectory, clock);
  /** Named after the order, so that followers of the order find its output. */
  let outputName = "none";
  const system = createSystem({
    exec,
    environment,
    clock,
    roots,
    outputFile: () => join(stateDirectory, `${outputName}.log`),
  });
  const readMemory = async (): Promise<HostMemory | undefined> => {
    const content = await readJournal(stateDirectory);
    return content === undefined ? undefined : memoryOf(content.head, content.lines);
  };

  /** From the caches that Nix itself asks; only those over HTTP can be looked at before they are loaded from. */
  async function openFetcher(signal: AbortSignal): Promise<ClosureFetcher> {
    const [{ createClosureFetcher }, { CacheSettings }, { readNixSettings }, { openCacheClient }, v] =
      await fetcherModules();
    const nix = await readNixSettings(exec, environment, signal);
    const urls = nix.substituters.filter((url) => /^https?:/.test(url));
    const settings = v.parse(CacheSettings, {});
    return createClosureFetcher({
      exec,
      environment,
      clock,
      caches: await Promise.all(
        urls.map(async (url) => openCacheClient(settings, url, { clock, environment: outer }, signal)),
      ),
      storeDirectory: nix.storeDirectory,
      rootsDirectory: join(nix.stateDirectory, "gcroots/homelab-deploy"),
    });
  }

  async function open(): Promise<Journal & AsyncDisposable> {
    const bootId = (await readFile(roots.bootId, "utf8")).trim();
    const { repo, host } = policy;
    return openJournal({ directory: stateDirectory, repo, host, bootId, clock });
  }

  async function deploy(signal: AbortSignal): Promise<HostMemory> {
    const [{ runDeployments }, { createProbe }] = await Promise.all([
      import("../../deploy/run-deployments.ts"),
      import("../../host/create-probe.ts"),
      // Now: a switch that has begun must not depend on files of the old system.
      fetcherModules(),
    ]);
    useNetworkOf(outer);
    await using journal = await open();
    const named = {
      ...journal,
      append: async (entry: Parameters<typeof journal.append>[0]) => {
        const line = await journal.append(entry);
        if (line.event.order !== undefined) outputName = line.event.order;
        return line;
      },
    };
    outputName = memoryOf(journal.head, journal.lines).current?.order.id ?? outputName;
    const fetcher = openedLate(() => openFetcher(signal));
    // Awaited here: the journal is closed when this returns.
    return await runDeployments(
      { journal: named, system, fetcher, mailbox, clock, policy, probe: createProbe(programs) },
      signal,
    );
  }

  return {
    stateDirectory,
    policy,
    system,
    mailbox,
    readMemory,
    async beginJournal() {
      if ((await readMemory()) === undefined) await (await open())[Symbol.asyncDispose]();
    },
    deploy,
    unit: createActivationUnit({ programs, environment, command: [...program, "host", "work"] }),
  };
}

/** Only the process that deploys loads them: the activator starts again for each message of the listener. */
const fetcherModules = async () =>
  Promise.all([
    import("../../host/create-closure-fetcher.ts"),
    import("../../config/cache-schema.ts"),
    import("../../nix/settings/nix-settings.ts"),
    import("../compose-cache.ts"),
    import("valibot"),
  ]);

/** What only fetching needs must not keep a host from going back. */
function openedLate(open: () => Promise<ClosureFetcher>): ClosureFetcher {
  let opened: Promise<ClosureFetcher> | undefined;
  const fetcher = async (): Promise<ClosureFetcher> => (opened ??= open());
  return {
    plan: async (request, signal) => (await fetcher()).plan(request, signal),
    fetch: async (request, signal) => (await fetcher()).fetch(request, signal),
    dropRoot: async (root) => (await fetcher()).dropRoot(root),
    listRoots: async () => (await fetcher()).listRoots(),
  };
}
