const MAGIC: readonly { readonly start: Buffer; readonly mediaType: string }[] = [
  { start: Buffer.from('%PDF-'), mediaType: 'application/pdf' },
  { start: Buffer.from('<?xml'), mediaType: 'text/xml' },
  { start: Buffer.from('efbbbf3c3f786d6c', 'hex'), mediaType: 'text/xml' },
  { start: Buffer.from('89504e470d0a1a0a', 'hex'), mediaType: 'image/png' },
  { start: Buffer.from('ffd8ff', 'hex'), mediaType: 'image/jpeg' },
  { start: Buffer.from('504b0304', 'hex'), mediaType: 'application/zip' },
]

/** For `MimeType`, which has to be there: what the first bytes tell, else that nothing is known. */
export function mediaTypeOf(document: Buffer): string {
  const known = MAGIC.find(({ start }) => document.subarray(0, start.length).equals(start))
  return known?.mediaType ?? UNKNOWN_MEDIA_TYPE
}

export const UNKNOWN_MEDIA_TYPE = 'application/octet-stream'
