"""Amazon's example key, and its library for Java."""
import contextlib
import os
import subprocess
import unittest.mock

import klamm

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"
TOKENS = ("", "AQoDYXdzEPT//////////wEXAMPLE+token/of==")
LIBRARY = "software.amazon.msk:aws-msk-iam-auth:2.3.5:jar:all"


@contextlib.contextmanager
def environment(token="", secret=SECRET):
    """Amazon's variables, and nothing else of this machine's."""
    want = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true"}
    if token:
        want["AWS_SESSION_TOKEN"] = token
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with unittest.mock.patch.dict(os.environ, {**kept, **want}, clear=True):
        yield


def jar():
    """The library, for a class path."""
    folder = os.path.join(klamm.BUILD, "interop-venv", "jars")
    path = os.path.join(folder, "aws-msk-iam-auth-2.3.5-all.jar")
    if not os.path.exists(path):
        subprocess.run(
            ["mvn", "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
             f"-Dartifact={LIBRARY}", f"-DoutputDirectory={folder}"],
            stdout=subprocess.DEVNULL, timeout=300, check=True)
    return path
