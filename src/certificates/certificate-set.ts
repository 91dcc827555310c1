import * as asn1js from 'asn1js'

/** The certificates that a SignedData brings along, DER, as they came: encoded again, they might not verify. */
export function certificatesOf(signedData: unknown): Buffer[] {
  const fields = signedData instanceof asn1js.Sequence ? signedData.valueBlock.value : []
  const certificates = fields.find(
    ({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === 0,
  )
  if (!(certificates instanceof asn1js.Constructed)) return []
  return certificates.valueBlock.value
    .filter((each) => each instanceof asn1js.Sequence)
    .map((each) => Buffer.from(each.valueBeforeDecodeView))
}
