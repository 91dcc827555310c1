/** One signature as its signer agreed to it: what the MAC of a row in the ledger is over. */
export interface ApprovedDigest {
  readonly authorisationId: string
  readonly clientId: string
  readonly userId: string
  readonly credentialId: string
  /** OID; null when none was named. */
  readonly hashAlgorithm: string | null
  readonly rowId: string
  /** Base64; null while any digest may take the row (SCAL 1). */
  readonly digest: string | null
  /** As what it was agreed to: dtbsr, sdr, sodr; null for unsaid. */
  readonly hashType: string | null
}

/** The facts that belong together, in the order in which they are bound (`Secrets.bind`). */
export function approvedFacts(approved: ApprovedDigest): string[] {
  const { authorisationId, clientId, userId, credentialId, rowId } = approved
  const { hashAlgorithm, digest, hashType } = approved
  return [
    ...['approved digest', authorisationId, clientId, userId, credentialId, rowId],
    ...[hashAlgorithm ?? '', digest ?? '', hashType ?? ''],
  ]
}
