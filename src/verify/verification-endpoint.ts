import { InvalidParameterError } from '../errors.js'
import { defineEndpoint } from '../http/endpoint.js'
import { chooseReportLanguage } from '../verification/messages.js'
import { ReportSchema } from '../verification/report.js'
import type { Verification } from '../verification/verification.js'
import { readSubmission, SubmissionSchema } from './submission.js'

export const VERIFICATION_PATH = '/verification'

/** What the endpoint calls. */
export interface VerifyServices {
  readonly verification: Pick<Verification, 'verify'>
}

/** Validates the signatures of a document. Nobody has to sign in for it. */
export const verificationEndpoint = defineEndpoint<VerifyServices>()({
  path: VERIFICATION_PATH,
  summary: 'Validates the signatures of a document',
  scopes: [],
  request: SubmissionSchema,
  response: ReportSchema,
  takesDocuments: true,
  extension: true,
  refuses: [new InvalidParameterError('document'), new InvalidParameterError('contents')],

  handle(input, _caller, { verification }) {
    return verification.verify(readSubmission(input), chooseReportLanguage(input.lang ?? ''))
  },
})
