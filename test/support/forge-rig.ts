// A forge, somebody who pushes to its repository, and our view of it.
import { createForge } from "../../src/forge/create-forge.ts";
import type { Forge } from "../../src/forge/forge.ts";
import { type BranchName, type Commit, parseBranchName } from "../../src/protocol/names.ts";
import { type ForgeServer, type ForgeServerOptions, startForgeServer } from "./forge-server/forge-server.ts";
import { hastyClock } from "./hasty-clock.ts";
import { createScratch } from "./scratch.ts";

export interface ForgeRig extends AsyncDisposable {
  readonly server: ForgeServer;
  readonly forge: Forge;
  /** A base with one commit, and a head with one more. */
  readonly base: BranchName;
  readonly head: BranchName;
  readonly baseCommit: Commit;
  readonly headCommit: Commit;
  /** Signs in as another user, or with other limits. */
  signIn(options?: { readonly token?: string; readonly timeoutMs?: number }): Promise<Forge>;
}

export const never = new AbortController().signal;

export async function createForgeRig(options: Omit<ForgeServerOptions, "directory">): Promise<ForgeRig> {
  const scratch = await createScratch("forge-");
  const server = await startForgeServer({ ...options, directory: scratch.directory });
  const [base, head] = [parseBranchName("main"), parseBranchName("flake-update/2026-11-23")];
  const baseCommit = await server.remote.commit({ branch: base });
  const headCommit = await server.remote.commit({ branch: head });
  const signIn: ForgeRig["signIn"] = ({ token = server.bot.token, timeoutMs = 1_000_000 } = {}) =>
    createForge(
      {
        kind: options.kind,
        url: `${server.url}/`,
        owner: server.state.owner,
        repo: server.state.name,
        tokenFile: "/run/token",
      },
      { fetch, clock: hastyClock, readSecret: async () => token, timeoutMs },
      never,
    );
  return {
    server,
    forge: await signIn(),
    base,
    head,
    baseCommit,
    headCommit,
    signIn,
    async [Symbol.asyncDispose]() {
      await using _scratch = scratch;
      await server[Symbol.asyncDispose]();
    },
  };
}
