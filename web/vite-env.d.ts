/** Set by the build: changes with every build, so that caches never mix two. */
declare const lapwingBuild: string;
/** The package's version. */
declare const lapwingVersion: string;
