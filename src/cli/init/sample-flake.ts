// A flake for those who have none yet: two hosts that build in a second with any Nix, without nixpkgs.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { Exec } from "../../process/exec.ts";

export const sampleName = "sample";
export const sampleBranch = "main";

/** Nix builds it itself: Debian's Nix has no shell in its sandbox. */
const flake = (system: string): string => `{
  description = "Two hosts to try homelab-deploy with";

  outputs = { self }: {
    nixosConfigurations = builtins.mapAttrs (host: greeting: {
      config.system.build.toplevel = derivation {
        name = "nixos-system-\${host}";
        system = "${system}";
        builder = "builtin:buildenv";
        derivations = "";
        manifest = greeting;
      };
    }) {
      web01 = "/welcome/to/web01";
      db01 = "/welcome/to/db01";
    };
  };
}
`;

/** @throws HomelabError `unavailable` without git */
export async function writeSampleFlake(
  directory: string,
  { exec, path, system }: { readonly exec: Exec; readonly path: string; readonly system: string },
  signal: AbortSignal,
): Promise<void> {
  await mkdir(directory);
  await writeFile(join(directory, "flake.nix"), flake(system));
  const env = { PATH: path, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const author = ["-c", "user.name=homelab-deploy", "-c", "user.email=homelab-deploy@localhost"];
  for (const args of [
    ["init", "--quiet", `--initial-branch=${sampleBranch}`],
    ["add", "flake.nix"],
    [...author, "commit", "--quiet", "--message", "Two hosts to try homelab-deploy with"],
  ]) {
    const { exitCode, stderrTail } = await exec("git", args, {
      signal,
      env,
      cwd: directory,
      timeoutMs: 30_000,
    });
    if (exitCode === 0) continue;
    throw new HomelabError("unavailable", "the sample flake cannot be committed", {
      code: "SAMPLE_FLAKE",
      hint: "name a repo of your own with --repo",
      cause: new Error(stderrTail.trim().split("\n").at(-1) ?? ""),
    });
  }
}
