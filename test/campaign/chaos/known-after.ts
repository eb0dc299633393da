/** What is stored is known to the deployer after so long at the latest: it looks every 5 s, also where nobody told it. */
export const knownAfterMs = 6000;
