/** The name of a derivation without its hash and suffix: `linux-6.18.4` of `/nix/store/<hash>-linux-6.18.4.drv`. */
export const derivationName = (drvPath: string): string =>
  drvPath
    .slice(drvPath.lastIndexOf("/") + 1)
    .replace(/^[0-9a-z]{32}-/, "")
    .replace(/\.drv$/, "");
