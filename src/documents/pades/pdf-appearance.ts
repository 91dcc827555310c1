/**
 * Where a signature goes in a PDF and what is seen of it; nothing is seen without a rectangle, unless
 * the field named has one. An extension of ours to an item of `signDoc`.
 */
export interface PdfAppearance {
  /** The field to sign: an empty one of that name, or else a new one; by default a new one. */
  readonly fieldName?: string
  /** Counted from 1, the default. Only for a new field. */
  readonly page?: number
  /** Only for a new field. */
  readonly rect?: PdfRectangle
  /** Lines end at line feeds, and where the rectangle does. */
  readonly text?: string
  /** In points; by default the largest up to 12 that lets the text fit. */
  readonly fontSize?: number
  /** A PNG or JPEG file. It stands left of the text, or above it where there is more height than width. */
  readonly image?: Buffer
}

/**
 * In points (1/72 inch) from the lower left corner of the page as it is shown: cropped and turned the
 * way viewers do.
 */
export interface PdfRectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}
