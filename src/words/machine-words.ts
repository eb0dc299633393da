// How a remote builder is called where there is little room.

/** ` on arm1` of `ssh://arm1`; nothing for the builder itself. Not safe to print: it comes from nix.conf. */
export const onMachine = (machine: string | undefined): string =>
  machine === undefined ? "" : ` on ${machine.replace(/^ssh(?:-ng)?:\/\//, "")}`;
