/** What the signer does when asked to approve. */
export type Decision = 'approve' | 'reject'

/** The person with the browser: takes an authorization request to its end. */
export interface Signer {
  /**
   * Opens the address, signs in and decides.
   * @param redirectUri where the application begins; nothing is fetched from there
   * @returns what the application is told, in the query of its address
   * @throws {Skipped} when this signer cannot do that
   * @throws {NotMet} when the pages end nowhere
   */
  authorize(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams>
  close(): Promise<void>
}
