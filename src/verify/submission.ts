import { Type, type Static } from '@sinclair/typebox'
import { InvalidParameterError } from '../errors.js'
import { hashByText } from '../certificates/signature-method.js'
import type { DetachedContent } from '../verification/evidence.js'
import type { Submission } from '../verification/verification.js'

const Base64 = (description: string) => Type.String({ minLength: 1, description })
const Name = (description: string) => Type.String({ maxLength: 1000, description })

/** What `POST /verification` takes as JSON. */
export const SubmissionSchema = Type.Object({
  document: Base64('The signed document, or its detached signature, in Base64.'),
  name: Type.Optional(Name('What the report calls it.')),
  contents: Type.Optional(
    Type.Array(
      Type.Object(
        {
          name: Type.Optional(
            Name(
              'Name or URI by which the signature refers to it; needless when it is the only one.',
            ),
          ),
          content: Type.Optional(Base64('The content, in Base64.')),
          digests: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  algorithm: Type.String({ description: 'Such as SHA-256, or its OID.' }),
                  value: Base64('In Base64.'),
                },
                { additionalProperties: false },
              ),
              { maxItems: 10, description: 'Its digests, in the place of the content.' },
            ),
          ),
        },
        { additionalProperties: false },
      ),
      { maxItems: 50, description: 'What a detached signature is over.' },
    ),
  ),
  lang: Type.Optional(
    Type.String({ maxLength: 200, description: 'Language of the texts: en, de, fr or es.' }),
  ),
})
export type SubmissionBody = Static<typeof SubmissionSchema>

/** Of four characters each, without a group in it: those take room on the stack for every repetition. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** @throws {InvalidParameterError} */
export function readSubmission({ document, name, contents = [] }: SubmissionBody): Submission {
  return {
    name: name ?? null,
    document: bytesOf(document, 'document'),
    contents: contents.map(readContent),
  }
}

function readContent(sent: NonNullable<SubmissionBody['contents']>[number]): DetachedContent {
  const { name, content, digests = [] } = sent
  const known = digests.map(({ algorithm, value }): [string, Buffer] => {
    const hash = hashByText(algorithm)
    if (hash === null) throw new InvalidParameterError('contents')
    return [hash, bytesOf(value, 'contents')]
  })
  const bytes = content === undefined ? null : bytesOf(content, 'contents')
  if (bytes === null && known.length === 0) throw new InvalidParameterError('contents')
  return { name: name ?? null, bytes, digests: new Map(known) }
}

function bytesOf(base64: string, parameter: string): Buffer {
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) throw new InvalidParameterError(parameter)
  return Buffer.from(base64, 'base64')
}
