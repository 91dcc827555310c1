/** `POST /verification` as an OpenAPI document of its own: it is of no version of the CSC API. */
import { renderCscError } from '../../src/csc/errors.js'
import { refusalsOf } from '../../src/http/refusals.js'
import { VERIFICATION_PATH, verificationEndpoint } from '../../src/verify/verification-endpoint.js'
import { VERSION } from '../../src/version.js'
import { refusalResponses } from './refusals.js'
import { publishRequest, publishResponse, type Json } from './schemas.js'

const TAG = { name: 'verification', description: 'Whether signatures are good, and why.' }

export function verificationDocument(): Json {
  const { request, response, summary } = verificationEndpoint
  const schemas = new Map<string, Json>()
  const refusals = [...refusalsOf(verificationEndpoint), new Error('unforeseen')].map((error) =>
    renderCscError(error),
  )
  const report = publishResponse(response, schemas)
  const responses = [...refusalResponses(refusals)].map(([status, refusal]) => [
    String(status),
    refusal,
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'OpenRSSP: verification',
      version: VERSION,
      summary: 'Validation of signatures after EN 319 102-1.',
      description:
        'Nobody has to sign in. Any document gets a report; `docs/verification.md` says how it is decided. With GET, and with a posted form, the same address is a page for people.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This service' }],
    tags: [TAG],
    paths: {
      [VERIFICATION_PATH]: {
        post: {
          ...{ operationId: 'verification', tags: [TAG.name], summary, security: [] },
          requestBody: {
            required: true,
            content: { 'application/json': { schema: publishRequest(request) } },
          },
          responses: {
            '200': {
              description: 'The report.',
              content: { 'application/json': { schema: report } },
            },
            ...(Object.fromEntries(responses) as Json),
          },
        },
      },
    },
    components: {
      securitySchemes: {},
      headers: {
        'Retry-After': {
          description: 'Seconds after which to try again.',
          required: true,
          schema: { type: 'integer', minimum: 1 },
        },
      },
      schemas: Object.fromEntries(schemas),
    },
  }
}
