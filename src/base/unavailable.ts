/**
 * What is out of reach, or did not answer in time: the store, the server or the process behind it. The caller goes on
 * by what it knows, and asks again later.
 */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}
