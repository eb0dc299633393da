// How a deployer knows its own events in a log that people may append to as well.

/** The header with the seal of an event. */
export const sealHeader = "Homelab-Deploy-Seal";

/** Both are about the bytes at one place: behind the message with the sequence `after`, 0 for the first of a log. */
export interface RolloutSeal {
  seal(data: Uint8Array, after: number): string;
  isSealed(data: Uint8Array, after: number, seal: string): boolean;
}
