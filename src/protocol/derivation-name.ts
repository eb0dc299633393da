/** The name of a derivation without its hash and suffix: `linux-6.18.4`. */
export const derivationName = (drvPath: string): string =>
  drvPath
    .slice(drvPath.lastIndexOf("/") + 1)
    .slice(33)
    .replace(/\.drv$/, "");
