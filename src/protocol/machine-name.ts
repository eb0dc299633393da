// How messages and metrics name a remote builder of nix.conf.

const maxNameLength = 200;

/** `ssh://arm1`: without the settings of the connection, which can name keys, and fit for the header of a message. */
export const machineName = (uri: string): string =>
  uri
    .replace(/\?.*$/s, "")
    .replace(/\/\/[^/@]*:[^/@]*@/, "//")
    .replace(/[^\x21-\x7e]/g, "_")
    .slice(0, maxNameLength);
