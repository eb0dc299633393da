/** `linux-6.18.4` of `/nix/store/<hash>-linux-6.18.4.drv`; a hash or a suffix that is not there is not missed. */
export const derivationName = (drvPath: string): string =>
  drvPath.slice(drvPath.lastIndexOf("/") + 1).replace(/^[0-9a-z]{32}-|\.drv$/g, "");
