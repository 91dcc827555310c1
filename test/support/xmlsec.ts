import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ID_ATTRIBUTES = [
  'http://www.w3.org/2000/09/xmldsig#:Object',
  'http://uri.etsi.org/01903/v1.3.2#:SignedProperties',
]

export interface XmlsecOptions {
  /** Trust anchor, PEM. */
  readonly root: string
  /** Documents of detached signatures, by the names that the references have. */
  readonly files?: Readonly<Record<string, Buffer>>
  /** Of several signatures, which one: from 1. */
  readonly signature?: number
}

/** Whether xmlsec1, which shares no code with ours but libxml2, takes signature and certificate. */
export function xmlsecVerifies(
  xml: Buffer,
  { root, files = {}, signature }: XmlsecOptions,
): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'openrssp-xmlsec-'))
  try {
    const all = { ...files, 'signed.xml': xml, 'root.pem': root }
    for (const [name, content] of Object.entries(all)) writeFileSync(join(directory, name), content)
    const which = `(//*[local-name()='Signature'])[${signature ?? 1}]`
    const { status, error } = spawnSync(
      'xmlsec1',
      [
        ...['--verify', '--trusted-pem', 'root.pem', '--node-xpath', which],
        ...ID_ATTRIBUTES.map((name) => ['--id-attr:Id', name]).flat(),
        'signed.xml',
      ],
      { cwd: directory, encoding: 'utf8' },
    )
    if (error) throw error
    return status === 0
  } finally {
    rmSync(directory, { recursive: true })
  }
}
