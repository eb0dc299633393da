// What a builder signs: this closure is this host at a commit that was the tip of the configured branch. A host activates
// nothing else. Overrides, other branches and commits that were only named are never stated.
import type { Clock } from "../../base/clock.ts";
import type { Store } from "../../nix/store.ts";
import type { SignedStatement } from "../../protocol/deploy/statement.ts";
import type { BranchName, RepoName } from "../../protocol/names.ts";
import { signStatement } from "../../signing/sign-envelope.ts";
import type { Signer } from "../../signing/signing-key-file.ts";
import type { HostWork, ReadyWork } from "../work.ts";

export interface Statements {
  /**
   * Signs for those of these hosts that may be stated. All of them were proven to be served.
   *
   * @throws HomelabError `unavailable` when the store does not say what their hashes are
   */
  state(works: readonly ReadyWork[], signal: AbortSignal): Promise<ReadonlyMap<HostWork, SignedStatement>>;
}

export interface StatementsOptions {
  readonly signer: Signer;
  readonly repos: ReadonlyMap<RepoName, { readonly branch: BranchName }>;
  readonly nix: Pick<Store, "readFacts">;
  readonly clock: Clock;
}

export function createStatements({ signer, repos, nix, clock }: StatementsOptions): Statements {
  return {
    async state(works, signal) {
      const stated = new Map<HostWork, SignedStatement>();
      const tips = works.filter(isOfTip);
      if (tips.length === 0) return stated;
      const facts = await nix.readFacts(
        [...new Set(tips.map(({ evaluation }) => evaluation.outPath))],
        signal,
      );
      const at = clock.now().toISOString();
      for (const work of tips) {
        const { repo, commit, host, evaluation } = work;
        const branch = repos.get(repo)?.branch;
        const path = evaluation.outPath;
        const narHash = facts.get(path)?.narHash;
        if (branch === undefined || narHash === undefined) continue;
        const { system } = evaluation;
        stated.set(
          work,
          signStatement({ v: 1, repo, branch, commit, host, system, path, narHash, at }, signer),
        );
      }
      return stated;
    },
  };
}

/** Whoever asked for it: one of the builds resolved the branch to this commit. */
const isOfTip = ({ variant, watchers, repo }: HostWork): boolean =>
  variant === undefined && [...watchers].some(({ sources }) => sources.get(repo)?.isHead === true);
