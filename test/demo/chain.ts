// From an input that moves to hosts that run it, and what keeps a bad one from them.
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { type HomeLab, type PretendedHost, startDeployer } from "./home-lab.ts";
import { tipOf } from "./sample-repo.ts";
import { commit, explain, outputOf, perform, waitForHost } from "./stage.ts";

/** With a host that was deployed to before, and these others. */
export async function showChain(
  directory: string,
  lab: HomeLab,
  others: readonly PretendedHost[],
  signal: AbortSignal,
): Promise<void> {
  explain(
    "Both mistakes are reverted. From here on nobody deploys by hand: a deployer rolls out each green build.",
  );
  await lab.servers.commit({
    from: 'upstream = "http://localhost:8081"',
    to: 'upstream = "http://localhost:8080"',
    message: "web01: move the upstream back",
  });
  await commit(lab.servers, {
    from: 'upstream = "localhost:3000"',
    to: 'upstream = "http://localhost:3000"',
    message: "gitea: restore the upstream",
  });
  for (const other of others) await waitForHost(lab, other, signal);
  const failed = startDeployer(directory, lab).then((how): never => {
    throw new Error(how);
  });
  const play = async (): Promise<void> => {
    await perform(lab, ["build", "--all"], 0, signal);
    await showRollout(lab, signal);

    explain(
      "An input moves. The update builds every host with it before it lands; then the deployer does the rest.",
    );
    await commit(lab.packages, { from: '"nginx" "1.29.3"', to: '"nginx" "1.29.4"', message: "nginx 1.29.4" });
    await perform(lab, ["update", "--repo", "nixos-servers"], 0, signal);
    await perform(lab, ["build", "--all"], 0, signal);
    await showRollout(lab, signal);

    explain("A release that does not build: nothing lands, and the input that breaks the hosts is named.");
    await commit(lab.packages, {
      from: '"nginx" "1.29.4" (compile',
      to: '"nginx" "1.29.5" ([ "error: ngx_quic.h: no such file" ] ++ compile',
      message: "nginx 1.29.5",
    });
    await perform(lab, ["update", "--repo", "nixos-servers"], 1, signal);

    explain(
      "A release that builds, and crashes: the canary goes back, the rollout halts, no other host is touched.",
    );
    await commit(lab.packages, {
      from: '"nginx" "1.29.5" ([ "error: ngx_quic.h: no such file" ] ++ compile',
      to: '"nginx" "1.30.0" ([ "warning: signal handler is not set" ] ++ compile',
      message: "nginx 1.30.0",
    });
    await perform(lab, ["update", "--repo", "nixos-servers"], 0, signal);
    await perform(lab, ["build", "--all"], 0, signal);
    await waitForRollout(lab, signal, "halted");
    await perform(lab, ["rollouts", "show", "last"], 0, signal);
    await perform(lab, ["rollouts", "abort", "last"], 0, signal);
    await perform(lab, ["hosts"], 0, signal);
  };
  await Promise.race([play(), failed]);
}

/** Shows the rollout of the newest commit until it is over. */
async function showRollout(lab: HomeLab, signal: AbortSignal): Promise<void> {
  await waitForRollout(lab, signal);
  await perform(lab, ["rollouts", "show", "last", "--follow"], 0, signal);
}

/** Until the newest commit is being rolled out, and has this status if one is given. */
async function waitForRollout(lab: HomeLab, signal: AbortSignal, status?: string): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(120_000)]);
  const tip = await tipOf(lab.servers);
  for (;;) {
    const newest = await newestRollout(lab, deadline);
    if (newest?.commit === tip && (status === undefined || newest.status === status)) return;
    await sleep(200, undefined, { signal: deadline });
  }
}

const Rollout = v.object({ commit: v.string(), status: v.string() });

async function newestRollout(
  lab: HomeLab,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof Rollout> | undefined> {
  const text = await outputOf(lab, ["rollouts", "list", "--json"], signal);
  return v.parse(v.object({ rollouts: v.array(Rollout) }), JSON.parse(text)).rollouts[0];
}
