-- AlterTable
ALTER TABLE "User" ADD COLUMN "binding" TEXT;

-- AlterTable
ALTER TABLE "AuthorisedDigest" ADD COLUMN "binding" TEXT;
