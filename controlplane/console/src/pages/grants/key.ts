export const grantsKey = ["grants"];
