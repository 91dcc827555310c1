-- AlterTable
ALTER TABLE "AuthorisedDigest" ADD COLUMN     "derivation" TEXT,
ADD COLUMN     "hashType" TEXT,
ADD COLUMN     "toBeSigned" TEXT;

-- AlterTable
ALTER TABLE "RepeatableSigning" ADD COLUMN     "signingTime" TIMESTAMP(3);

-- CreateTable
CREATE TABLE "DocumentJob" (
    "idHash" TEXT NOT NULL,
    "request" BYTEA,
    "result" BYTEA,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "DocumentJob_pkey" PRIMARY KEY ("idHash")
);

-- CreateIndex
CREATE INDEX "DocumentJob_expiresAt_idx" ON "DocumentJob"("expiresAt");
