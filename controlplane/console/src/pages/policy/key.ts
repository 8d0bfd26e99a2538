export const revisionsKey = ["policy", "revisions"];
