// How Nix is run. Flags and settings that exist from Nix 2.8 to 2.34.

/** Without which `nix` has no commands where nix.conf does not enable them. */
export const featureFlags = ["--extra-experimental-features", "nix-command flakes"] as const;

/** For a message a line, in the same form on every version. */
export const logFlags = ["--log-format", "internal-json"] as const;

/**
 * For every evaluation of a flake.
 *
 * - A flake's own `nixConfig` is never accepted: its `post-build-hook` would run as the builder's user.
 * - The lock file is as it was committed, or Nix fails. `--no-write-lock-file` beside it would undo that: then Nix
 *   resolves what the lock lacks, and only warns (`lockFlake` in its flake.cc).
 * - Nix's evaluation cache is off: parallel processes find it locked, and it loses warnings.
 * - No global flake registry is downloaded.
 */
export function evaluationFlags(options: { readonly allowImportFromDerivation: boolean }): readonly string[] {
  return [
    ...featureFlags,
    ...logFlags,
    "--no-accept-flake-config",
    "--no-update-lock-file",
    "--option",
    "eval-cache",
    "false",
    "--option",
    "flake-registry",
    "",
    "--option",
    "allow-import-from-derivation",
    String(options.allowImportFromDerivation),
  ];
}

/** A Nix string literal of any text. */
export function nixString(text: string): string {
  const escaped = text
    .replaceAll(/["\\]/g, (character) => `\\${character}`)
    .replaceAll("${", "\\${")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r");
  return `"${escaped}"`;
}
